"""`everbearer exec` is the command that it runs, and leaves nothing of itself."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from config_file import unnamed
from harness import START, Place, Sandbox
from needs import need, need_proc
from running import ME, Exec, as_at_a_terminal, eventually, kill

PASSWORD = re.compile(r"[A-Za-z0-9_-]{40,}")


@pytest.fixture
def execute(place: Place, sandbox: Sandbox) -> Exec:
    """Give `exec` with a configuration of the sandbox's."""
    need("curl")
    return Exec(place, sandbox.state / "client_credentials.toml")


def test_a_command_that_knows_nothing_is_answered(execute: Exec):
    """Curl without any option gets 200; its streams hold nothing of ours."""
    done = execute.run("curl", "-sS", "-w", "%{http_code}", "-o", "answer", ME)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200", "")


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_commands(execute: Exec, code: int):
    """What the command exits with, we exit with."""
    assert execute.run("sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_command_that_dies_of_a_signal_is_seen_to(execute: Exec, number: int):
    """Whoever waits for us sees the same signal, as for the command itself."""
    done = execute.run("sh", "-c", f"kill -{int(number)} $$")
    assert done.returncode == -number


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["no-such-program"], 127),
        (["/no/such/program"], 127),
        (["/etc/passwd"], 126),
        (["/"], 126),
    ],
)
def test_what_cannot_be_run_ends_as_with_env(
    execute: Exec, words: list[str], code: int
):
    """127 where it is not found, 126 where it cannot be executed, and one line."""
    done = execute.run(*words)
    assert (
        done.returncode
        == code
        == subprocess.run(["env", *words], check=False, capture_output=True).returncode
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"everbearer: error: {words[0]}: ")


def test_a_bad_configuration_runs_nothing(execute: Exec, place: Place):
    """Exit code 2, each problem told, and the command was never started."""
    bad = place.root / "bad.toml"
    bad.write_text("[profiles.dev]\n")
    bad.chmod(0o600)
    done = Exec(place, bad).run("touch", "started")
    assert done.returncode == 2
    assert "profiles.dev.provider" in done.stderr
    assert not (place.root / "started").exists()


def test_an_unknown_profile_runs_nothing(execute: Exec):
    """The names that there are are told."""
    execute.options += ["-p", "nobody"]
    done = execute.run("true")
    assert done.returncode == 2
    assert "nobody" in done.stderr


def test_the_profile_serves_every_request(place: Place, sandbox: Sandbox):
    """With -p no field chooses another profile; the request is refused instead."""
    execute = Exec(place, sandbox.state / "all.toml", "-p", "jwt")
    plain = execute.run("curl", "-sS", ME)
    other = execute.run(
        "curl", "-sS", "-H", "Everbearer-Profile: dev", "-w", "%{http_code}", ME
    )
    assert '"name":"JWT app"' in plain.stdout
    assert other.stdout.endswith("403")


def test_a_refusal_is_told_in_one_line(execute: Exec):
    """What the proxy refuses explains the command's failure; the rest is silent."""
    done = execute.run("curl", "-s", "http://api.box.com/2.0/users/me")
    (line,) = done.stderr.splitlines()
    assert "insecure_scheme" in line


def test_where_several_could_serve_the_option_is_named(place: Place, sandbox: Sandbox):
    """A command is not asked for a field of its own where -p says it for all."""
    config = sandbox.state / "nodefault.toml"
    config.touch(mode=0o600)
    text = (sandbox.state / "all.toml").read_text()
    config.write_text(text.replace('default_profile = "dev"\n', ""))
    done = Exec(place, config).run("curl", "-s", "-o", "answer", ME)
    (line,) = done.stderr.splitlines()
    assert "profile_ambiguous" in line
    assert unnamed(line).endswith("everbearer exec -p PROFILE")


def test_verbose_tells_every_request(execute: Exec):
    """With -v requests are told, on standard error alone."""
    execute.options.append("-v")
    done = execute.run("curl", "-s", "-o", "answer", ME)
    assert done.stdout == ""
    assert "GET api.box.com/2.0/users/me 200" in done.stderr


def test_signals_reach_the_command_as_if_we_were_not_there(execute: Exec):
    """A process is stopped, continued, told of things and ended by its own id."""
    trap = 'for s in HUP INT TERM USR1 WINCH; do trap "echo $s" $s; done'
    loop = f"{trap}; echo ready; while :; do sleep 0.05; done"
    # A group of its own: in one that has lost its shell nobody is stopped.
    child = execute.start("bash", "-c", loop, process_group=0)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    for number in ("HUP", "INT", "TERM", "USR1", "WINCH"):
        child.send_signal(getattr(signal, f"SIG{number}"))
        assert child.stdout.readline() == f"{number}\n"
    child.send_signal(signal.SIGTSTP)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    child.send_signal(signal.SIGCONT)
    child.send_signal(signal.SIGUSR1)
    assert child.stdout.readline() == "USR1\n"
    child.kill()
    assert child.wait() == -signal.SIGKILL
    eventually(execute.all_is_gone, "nothing left")


def test_a_pipe_ends_with_the_command(execute: Exec, sandbox: Sandbox):
    """Its reader does not wait for the proxy, which saves what is being renewed."""
    need_proc(Path("/proc/self"))
    held = sandbox.hold(path="/oauth2/token")
    done = subprocess.run(
        [
            *("bash", "-c", '"$@" 2>&1 3>&1 | cat', "-"),
            *execute.line("sh", "-c", f"curl -s -m 1 {ME}; echo it"),
        ],
        env=execute.place.env,
        cwd=execute.place.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "it\n"
    assert execute.proxies()
    sandbox.release(held)
    eventually(execute.all_is_gone, "nothing left")
    assert '"type":"user"' in execute.run("curl", "-s", ME).stdout
    assert len(sandbox.token_requests()) == 1


def test_open_files_are_handed_on(execute: Exec):
    """A descriptor that a shell opened for the command arrives there."""
    done = subprocess.run(
        ["bash", "-c", '"$@" <(echo secret)', "-", *execute.line("cat")],
        env=execute.place.env,
        cwd=execute.place.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "secret\n"


def test_an_interactive_program_has_the_terminal(execute: Exec):
    """It is in the foreground, reads what is typed, and Ctrl-C and Ctrl-Z reach it."""
    need("bash")
    pid, terminal = pty.fork()
    if pid == 0:
        as_at_a_terminal()
        os.chdir(execute.place.root)
        os.execve(
            "/bin/bash",
            ["bash", "--norc", "-i"],
            execute.place.env | {"PS1": "PROMPT>", "TERM": "dumb"},
        )
    try:
        said = Terminal(terminal)
        said.until("PROMPT>")
        program = (
            'trap "echo in\\terrupted" INT; '
            "test $(ps -o tpgid= -p $$) = $(ps -o pgid= -p $$) && echo fore\\ground; "
            'while read -r word || true; do echo "got <$word>"; '
            '[ "$word" = bye ] && exit 7; done'
        )
        command = " ".join(map(_quoted, execute.line("bash", "-c", program)))
        said.type(command + "\n")
        said.until("foreground")
        said.type("hello\n")
        said.until("got <hello>")
        said.type("\x03")
        said.until("interrupted")
        said.type("\x1a")
        said.until("Stopped")
        said.type("fg\n")
        said.type("again\n")
        said.until("got <again>")
        said.type("bye\n")
        said.until("PROMPT>")
        said.type("echo co\\de=$?\n")
        said.until("code=7")
        eventually(execute.all_is_gone, "nothing left")
    finally:
        kill(pid)
        os.waitpid(pid, 0)
        os.close(terminal)


class Terminal:
    """The other side of a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._said = ""

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def until(self, text: str) -> None:
        """Read until *text* is seen, and forget what stands before its end."""
        while text not in self._said:
            ready, _, _ = select.select([self._descriptor], [], [], START)
            assert ready, f"no {text!r} in {self._said!r}"
            self._said += os.read(self._descriptor, 65536).decode(errors="replace")
        self._said = self._said.partition(text)[2]


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_an_interrupted_start_leaves_nothing(execute: Exec):
    """Ctrl-C while the proxy is being started ends all of it; nothing is run."""
    need_proc(Path("/proc/self"))
    child = execute.start("touch", "started", start_new_session=True)
    eventually(lambda: bool(execute.runs()), "the keeper is at work")
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(60) == 130
    eventually(execute.all_is_gone, "nothing left")
    assert not (execute.place.root / "started").exists()


def test_nothing_is_left_behind(execute: Exec):
    """Neither a process nor a file outlives the command for long."""
    need_proc(Path("/proc/self"))
    execute.run("curl", "-s", "-o", "answer", ME)
    eventually(execute.all_is_gone, "nothing left")


def test_a_killed_command_leaves_nothing(execute: Exec):
    """After kill -9 of what the person started the proxy ends, and its folder goes."""
    need_proc(Path("/proc/self"))
    child, _ = execute.speaking("echo ready; exec sleep 600")
    assert execute.runs()
    assert len(execute.proxies()) == 2
    child.kill()
    eventually(execute.all_is_gone, "nothing left")


def test_a_killed_proxy_leaves_nothing_and_is_told(execute: Exec):
    """Its folder goes, the command's user learns of it, and the command goes on."""
    need_proc(Path("/proc/self"))
    child, _ = execute.speaking("echo ready; read -r line; exit 5")
    _, proxy = execute.proxies()
    kill(proxy)
    assert child.stderr is not None
    assert "its requests fail now" in child.stderr.readline()
    eventually(lambda: not execute.runs(), "no folder")
    child.communicate("go on\n", timeout=60)
    assert child.returncode == 5


def test_a_killed_keeper_leaves_nothing(execute: Exec):
    """The proxy serves on, and removes the folder itself."""
    need_proc(Path("/proc/self"))
    child, _ = execute.speaking(f"echo ready; read -r line; curl -sS {ME}")
    keeper, _ = execute.proxies()
    kill(keeper)
    out, _ = child.communicate("go on\n", timeout=60)
    assert '"type":"user"' in out
    eventually(lambda: not execute.proxies(), "no process")
    assert not [path for path in execute.runs() if path.is_dir()]


def test_what_a_dead_machine_left_is_swept(execute: Exec):
    """When everything was killed at once, the next run removes the folder."""
    need_proc(Path("/proc/self"))
    child, _ = execute.speaking("echo ready; exec sleep 600")
    (left,) = [path for path in execute.runs() if path.is_dir()]
    for pid in execute.proxies():  # the keeper first
        kill(pid)
    child.kill()
    assert left.exists()
    execute.run("true")
    eventually(execute.all_is_gone, "nothing left")


def test_no_key_and_no_password_is_on_disk(execute: Exec):
    """The run's folder is private and holds certificates only; its home too."""
    child, url = execute.speaking('echo "$https_proxy"; read -r line')
    password = PASSWORD.search(url)[0]
    (folder,) = [path for path in execute.runs() if path.is_dir()]
    assert folder.stat().st_mode & 0o777 == 0o700
    home = execute.place.root / "home"
    contents = [p.read_bytes() for p in home.rglob("*") if p.is_file()]
    assert contents
    assert not [c for c in contents if b"PRIVATE KEY" in c or password.encode() in c]
    assert not (home / ".mitmproxy").exists()
    child.communicate("\n", timeout=60)


def test_another_process_without_the_password_is_not_served(execute: Exec):
    """Who knows the port alone is answered 407, whoever's process it is."""
    child, url = execute.speaking('echo "$https_proxy"; read -r line')
    bare = re.sub("//.*@", "//", url)
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_connect}", "-k", "-x"]
    env = {"PATH": os.environ["PATH"]}

    def asked(proxy: str) -> str:
        return subprocess.run(
            [*curl, proxy, ME], env=env, capture_output=True, text=True, check=False
        ).stdout

    assert asked(bare) == "407"
    assert asked(bare.replace("//", "//everbearer:wrong@")) == "407"
    assert asked(url) == "200"
    child.communicate("\n", timeout=60)


def test_a_process_of_the_command_needs_no_field(execute: Exec):
    """On Linux a tool that knows of no passwords is known by its environment."""
    need_proc(Path("/proc/self"))
    done = execute.run(
        "sh",
        "-c",
        'curl -sS -o answer -w "%{http_code}" -x "http://${https_proxy#*@}" ' + ME,
    )
    assert done.stdout == "200"


def test_secrets_of_the_configuration_are_taken_out(place: Place, sandbox: Sandbox):
    """A variable that an `env` source names is not in the command's environment."""
    source = '{ file = "ccg_client_secret.txt" }'
    text = (sandbox.state / "client_credentials.toml").read_text()
    assert source in text
    path = sandbox.state / "env.toml"
    path.write_text(text.replace(source, '{ env = "MY_SECRET" }'))
    path.chmod(0o600)
    done = Exec(place, path).run(
        "sh",
        "-c",
        f'echo "${{MY_SECRET-none}} $KEPT"; curl -s {ME}',
        MY_SECRET=(sandbox.state / "ccg_client_secret.txt").read_text().strip(),
        KEPT="kept",
    )
    assert done.stdout.startswith("none kept\n")
    assert '"type":"user"' in done.stdout
