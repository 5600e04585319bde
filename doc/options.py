"""Write doc/options.md: all options of all scripts, from their declarations.

    python -m doc.options

A test compares the file with what this writes.
"""

import dataclasses
import importlib
from pathlib import Path

from osmn.cli.parser import Added, in_words

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "doc/options.md"
# In the order in which one meets them.
SCRIPTS = {
    "osmn_segment.py": "osmn_segment",
    "osmn_live.py": "osmn_live",
    "osmn_app.py": "osmn_app",
    "osmn_vos.py": "osmn_vos",
    "osmn_import.py": "osmn_import",
    "osmn_train_eval.py": "osmn_train_eval",
    "osmn_train_eval_ytvos.py": "osmn_train_eval_ytvos",
    "osmn_eval_youtube.py": "osmn_eval_youtube",
    "osmn_coco_pretrain.py": "osmn_coco_pretrain",
    "osmn_click_train.py": "osmn_click_train",
    "osmn_boundary_train.py": "osmn_boundary_train",
    "osmn_online_finetune.py": "osmn_online_finetune",
    "osmn_online_finetune_ytvos.py": "osmn_online_finetune_ytvos",
    "osmn_calibrate.py": "osmn_calibrate",
    "osmn_export.py": "osmn_export",
    "davis_eval.py": "davis_eval",
    "youtube_eval.py": "youtube_eval",
    "ytvos_eval.py": "ytvos_eval",
    "ytvos_merge_result.py": "ytvos_merge_result",
    "python -m osmn.report": "osmn.report.__main__",
    "osmn_contact_sheet.py": "osmn_contact_sheet",
    "preprocessing/rescale_vgg.py": "preprocessing.rescale_vgg",
}
HEAD = """# All options

Made of their declarations by `python -m doc.options` (`make options`); do not edit it. `python SCRIPT.py -h` shows the
same. First what several scripts take, group by group, then what each one takes alone.

Every script of this page takes `--recipe FILE`, a text file with one option per line: its name, without dashes, and its
values. `#` begins a comment, unless it is quoted; quotes are a shell's. The command line wins over a recipe. Several
recipes are read in their order, and paths in them are as on the command line. `recipes/` has those of the published
program and of `models/osmn_lite`.
"""


@dataclasses.dataclass
class Row:
    """An option as scripts take it: what is said of it, and {script: default} of those that take it so."""

    added: Added
    defaults: dict


def collect():
    """Return the rows of groups that several scripts have, {title: list of Row}, and {script: list of Row} of the rest.

    A row of a group is of all scripts that say the same of its option; a script's own rows are in the order of `-h`.
    """
    parsers = {script: importlib.import_module(module).parser() for script, module in SCRIPTS.items()}
    titles = [title for to in parsers.values() for title in to.groups]
    shared, own = {}, {script: [] for script in SCRIPTS}
    for script, to in parsers.items():
        for added in to.added:
            if titles.count(added.title) > 1:
                rows = shared.setdefault(added.title, {}).setdefault(added.name, {})
                row = rows.setdefault((added.option.help, added.option.nargs), Row(added, {}))
                row.defaults[script] = added.default
            elif added.name != "recipe":
                own[script].append(Row(added, {script: added.default}))
    return {title: [row for rows in names.values() for row in rows.values()] for title, names in shared.items()}, own


def document():
    """Return the page."""
    shared, own = collect()
    parts = [HEAD]
    for title, rows in shared.items():
        scripts = [script for script in SCRIPTS if any(script in row.defaults for row in rows)]
        parts.append(f"## {title[0].upper()}{title[1:]}\n\n{_listing(scripts)}\n\n{_table(rows, scripts)}")
    parts += [f"## {script}\n\n{_table(rows, [script])}" for script, rows in own.items()]
    return "\n".join(parts)


def _listing(scripts):
    return f"Of {', '.join(f'`{script}`' for script in scripts)}."


def _table(rows, scripts):
    lines = ["| option | values | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        option, values = row.added.option, _values(row.added).replace("|", "\\|")  # A bar would end the cell.
        about = option.help.replace("|", "\\|").replace("<", "&lt;")  # <object> would be taken for HTML.
        if set(row.defaults) != set(scripts):
            about += f". {_listing(row.defaults)}"
        name, values = (values, "") if option.positional else (f"--{row.added.name}", values)
        off = f", `--no_{row.added.name}`" if row.added.default is True else ""
        cells = [f"`{name}`{off}", f"`{values}`" if values else "", _default(row), about]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _values(added):
    """Return how an option's values are written, as `-h` has it; nothing for a switch."""
    option, nargs = added.option, added.option.nargs
    if isinstance(added.default, bool):
        return ""
    if option.choices and option.metavar is None:
        text = ", ".join(map(str, option.choices))
    elif isinstance(option.metavar, tuple):
        text = " ".join(option.metavar)
    else:
        text = option.metavar or added.name.upper()
    text = {"+": f"{text} ...", "?": f"[{text}]"}.get(nargs, text)
    return f"{text}, several times" if option.repeated else text


def _default(row):
    """Return an option's default; where scripts differ, each one's."""
    texts = {script: _shown(default) for script, default in row.defaults.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{text} (`{script}`)" for script, text in texts.items())


def _shown(default):
    if isinstance(default, bool):
        return "on" if default else ""
    return "" if default is None else in_words(default)


if __name__ == "__main__":
    OUTPUT.write_text(document(), encoding="utf-8")
    print(f"written: {OUTPUT.relative_to(ROOT)}")
