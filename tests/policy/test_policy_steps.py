"""A decision that is told step by step is the decision that was made."""

from dataclasses import replace

from boxlike import REQUEST, RULES, by_listener, request
from hypothesis import given
from test_policy_properties import ANY_REQUEST, near_requests

from everbearer.policy import browser, choice, credential, framing, names, users
from everbearer.policy.decide import _rule, decide
from everbearer.policy.rules import Rule
from everbearer.policy.steps import Stage, Step, steps
from everbearer.policy.verdict import Inject
from everbearer.policy.view import Authorization, Existing, UserView


def told(view, verdict):
    """Tell the steps of a verdict."""
    profile = getattr(verdict, "profile", "")
    return steps(
        view,
        code=verdict.code,
        reason=verdict.reason,
        rule=verdict.rule,
        profile=profile,
    )


def ended(view):  # noqa: PLR0911 - a step each
    """Return the step at which the decision about *view* really ends."""
    if users.unfit(view, RULES):
        return Stage.USER
    if framing.refusal(view):
        return Stage.FRAMING
    host = names.destination(view, RULES)
    if not isinstance(host, str):
        return Stage.DESTINATION
    rule = credential.several(view) or _rule(view, RULES.for_host(host))
    if not isinstance(rule, Rule):
        return Stage.RULE
    if browser.verdict(view, rule, RULES):
        return Stage.PAGE
    if not isinstance(choice.profile(view, rule, RULES), str):
        return Stage.PROFILE
    return Stage.CREDENTIAL


@given(ANY_REQUEST | near_requests())
def test_the_last_step_is_the_one_that_decided(view):
    """Whatever a request looks like, its steps end where its decision did, and why."""
    verdict = decide(view, RULES)

    found = told(view, verdict)

    assert found[-1] == Step(ended(view), verdict.reason, last=True)
    assert [step.stage for step in found] == list(Stage)[: len(found)]
    assert not any(step.last for step in found[:-1])


def test_an_injected_request_in_words():
    """Each step says what was found."""
    view = request(
        user=UserView("ann"),
        profile_fields=("prod",),
        authorization=Authorization(Existing.PLACEHOLDER),
    )
    verdict = decide(view, RULES)
    assert isinstance(verdict, Inject)

    assert [step.words for step in told(view, verdict)] == [
        "proxy user ann",
        "yes, its framing is sound",
        "https://api.box.com:443, its certificate checked for api.box.com",
        "rule box:api is for GET of this path",
        "no",
        "prod, which the request asks for by Everbearer-Profile",
        "the request has an unresolved placeholder",
    ]


def test_a_path_that_cannot_be_forwarded_ends_before_any_rule():
    """One code has two causes: control characters end the decision earlier."""
    view = request(control_characters=True)

    assert told(view, decide(view, RULES))[-1].stage is Stage.FRAMING


def test_who_chose_the_profile_is_told():
    """A listener that is bound to a profile, or nobody at all."""
    view = by_listener()
    bound = replace(view, listener=replace(view.listener, profile="dev"))
    words = {step.stage: step.words for step in told(bound, decide(bound, RULES))}
    assert "to which the listener 127.0.0.1:8082 is bound" in words[Stage.PROFILE]

    words = {step.stage: step.words for step in told(REQUEST, decide(REQUEST, RULES))}
    assert words[Stage.PROFILE] == "dev, the default, or the only one that may serve it"


def test_what_fails_after_the_decision_is_a_step_of_its_own():
    """A refusal that the policy knows nothing of comes last; its own is told whole."""
    found = steps(
        request(),
        code="reauthorization_required",
        reason="the grant is dead",
        rule="box:api",
        profile="dev",
    )

    assert [step.stage for step in found] == list(Stage)
    assert found[-2].words == "none was sent"
    assert found[-1] == Step(Stage.AFTERWARDS, "the grant is dead", last=True)
