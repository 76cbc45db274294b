"""Any sequence of loads and saves does what a dictionary of records would."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from everbearer.errors import StoreConflict
from everbearer.secret import Secret
from everbearer.stores.contract import Record
from stores.conftest import empty_place, kinds, served
from stores.places import PLACES, grant, newer

names = st.sampled_from("ab")
which = st.sampled_from([0, 1])


class Model(RuleBasedStateMachine):
    """Two store objects of one place, against a dictionary."""

    kind: str

    @initialize()
    def begin(self):
        """Open the place twice."""
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.place = empty_place(self.kind, Path(self.folder.name))
        self.stores = [self.place.open(), self.place.open()]
        self.records = {}
        self.saves = 0
        self.generations = {}

    def run(self, awaitable):
        """Run it to its end."""

        async def wrap():
            return await awaitable

        return self.runner.run(wrap())

    @rule(which=which, name=names, version=st.integers(0, 4), token=st.text())
    def save(self, which, name, version, token):
        """Save from some version: the stored one, or a conflict."""
        record = Record(version=version, access_token=Secret(token))
        stored = self.records.get(name, Record())
        if version == stored.version:
            saved = self.run(self.stores[which].save(grant(name), record))
            assert saved == replace(record, version=version + 1)
            self.records[name] = saved
            self.saves += 1
        else:
            with pytest.raises(StoreConflict):
                self.run(self.stores[which].save(grant(name), record))

    @rule(which=which)
    def reopen(self, which):
        """Close an object and open another."""
        self.run(self.stores[which].close())
        self.stores[which] = self.place.open()

    @invariant()
    def both_objects_agree(self):
        """Compare records with the dictionary, and generations with the saves."""
        for store in self.stores:
            for name in "ab":
                assert self.run(store.load(grant(name))) == self.records.get(name)
            # That of one save less, where there was one since the last look.
            before = self.generations.get(self.saves - 1, -1)
            generation = self.run(newer(store, before))
            assert self.generations.setdefault(self.saves, generation) == generation
        assert len(set(self.generations.values())) == len(self.generations)

    def teardown(self):
        """Leave nothing behind."""
        for store in self.stores:
            self.run(store.close())
        self.runner.close()
        self.folder.cleanup()


@pytest.mark.parametrize("kind", kinds(PLACES))
def test_any_sequence_does_as_a_dictionary(kind):
    """Whatever is saved through whichever object, both load the same, in order."""
    served(kind)
    machine = type("Machine", (Model,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=20, stateful_step_count=20),
    )
