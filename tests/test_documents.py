"""What the documents say can be done: their commands, and the lists of packages that stand twice."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("doc/*.md"), ROOT / "models/README.md"])
COMMAND = re.compile(r"python (?:-m )?([\w./]+)(.*)")


def commands(path):
    """Return the commands in a document's blocks of code: (script as a module, options)."""
    blocks = re.findall(r"^```\n(.*?)^```", path.read_text(), re.M | re.S)
    found = [COMMAND.search(line) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    names = [(match[1].removesuffix(".py").replace("/", "."), match[2]) for match in found if match]
    return [(name, set(re.findall(r"--\w+", options))) for name, options in names if name not in ("pytest", "venv")]


def options_of(name, capsys):
    """Return the options that the script, a module `name`, lists."""
    main = importlib.import_module("osmn.report.__main__" if name == "osmn.report" else name).main
    with pytest.raises(SystemExit):
        main(["-h"])
    return set(re.findall(r"--\w+", capsys.readouterr().out))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_documents_have_options_that_their_scripts_know(path, capsys):
    for name, options in commands(path):
        assert options <= options_of(name, capsys), f"{path.name}: {name}"


def test_documents_have_commands_for_every_script():
    named = {name for path in DOCUMENTS for name, _ in commands(path)}
    scripts = {path.stem for path in ROOT.glob("*.py")} - {"demo"}  # By `make demo`.
    assert scripts - named <= {"osmn_contact_sheet", "osmn_online_finetune_ytvos"}  # Named in the text alone.


def test_every_command_of_the_published_readme_is_in_the_commands(shared):
    published = (shared / "spec/published_readme.md").read_text()
    published = re.findall(r"(?:^|`)(python [\w/]+\.py (?!-h)[^`\n]+)", published, re.M)
    assert len(published) == 13
    ours = (ROOT / "doc/commands.md").read_text().splitlines()
    assert {line.strip() for line in published} <= {line.strip() for line in ours}


def test_readme_is_at_most_150_lines_and_its_python_runs_as_it_stands(monkeypatch, capsys):
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    monkeypatch.chdir(ROOT)  # It names the shipped model.
    exec(compile(program, "README.md", "exec"), {})
    found = [float(line.removeprefix("J ")) for line in capsys.readouterr().out.splitlines() if line.startswith("J ")]
    assert len(found) == 11 and min(found) > 0.9


def test_the_python_of_live_pictures_runs_as_it_stands(monkeypatch, capsys):
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "doc/user_video.md").read_text(), re.M | re.S)
    monkeypatch.chdir(ROOT)
    exec(compile(program, "user_video.md", "exec"), {})
    found = re.findall(r"frame (\d+), \d+ left out, J ([\d.]+)", capsys.readouterr().out)
    assert found[0] == ("0", "1.00") and found[-1][0] == "59"
    # How many frames are left out between, and so J, is a matter of the machine's load.
    numbers = [int(number) for number, _ in found]
    assert numbers == sorted(numbers) and len(set(numbers)) > 2


def test_pre_commit_formats_by_the_version_of_ruff_that_make_lint_has():
    (wanted,) = [line for line in (ROOT / "requirements-dev.txt").read_text().splitlines() if line.startswith("ruff")]
    assert set(re.findall(r'"(ruff.*?)"', (ROOT / ".pre-commit-config.yaml").read_text())) == {wanted}


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements-*.txt")), ids=lambda path: path.name)
def test_each_optional_list_is_an_extra_of_the_project(path):
    name = path.stem.removeprefix("requirements-")
    assert f'{name} = {{ file = ["{path.name}"] }}' in (ROOT / "pyproject.toml").read_text()
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines and not any(line.startswith("-") for line in lines)  # Which setuptools does not read.
