#!/usr/bin/env python3
"""Runs the commands of the README's picture in a real terminal (tmux) and draws what stood there as up.svg.

    ./start.sh up -d --wait && ./start.sh down      # so that everything is built
    PATH=~/.cache/cais/target/release:$PATH CARGO_TARGET_DIR=~/.cache/cais/target docs/images/record.py

Needs tmux 3.2 and Python 3.9, nothing else. The project runs under a name of its own and with its own state
folder, so a stack that is up already must only leave the ports free. Nothing in the picture is edited.
"""

import os
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS, ROWS = 112, 200
COMMANDS = [
    "cais up -d --wait",
    "cais ps",
    "CACHE_MODE=wrong cais deploy --no-build clock",
    "echo $?",
]
# A deploy is waited for this long.
PATIENCE_S = 120

# The picture brings its own background, so it reads the same on a light page and on a dark one.
BACKGROUND, FOREGROUND, FRAME = "#10181f", "#dfe6ec", "#3a4752"
# The eight colours of SGR 30 to 37; each has a contrast of at least 7 to 1 on the background.
COLOURS = ["#9aa7b4", "#ff9a94", "#8ddb8c", "#e8c26a", "#8fc4ff", "#dcb6ff", "#79dbe0", "#dfe6ec"]
DIM = "#9aa7b4"
CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.4, 19, 14, 18


def tmux(*words, **options):
    return subprocess.run(["tmux", "-L", "cais-picture", "-f", "/dev/null", *words], check=True, **options)


def record(state):
    """The screen, with its colours as escape sequences, after all commands have run."""
    environment = {
        "XDG_STATE_HOME": f"{state}/s",
        "XDG_RUNTIME_DIR": f"{state}/r",
        "COMPOSE_PROJECT_NAME": "picture",
        "PATH": os.environ["PATH"],
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", ""),
        "PS1": r"\[\e[36m\]$\[\e[0m\] ",
        # Runs before each prompt, so that the recorder knows when a command is done.
        "PROMPT_COMMAND": "tmux wait-for -S prompt",
        "BASH_SILENCE_DEPRECATION_WARNING": "1",
    }
    for folder in ("s", "r"):
        os.mkdir(f"{state}/{folder}", 0o700)
    pairs = [word for name, value in environment.items() if value for word in ("-e", f"{name}={value}")]
    shell = ["bash", "--noprofile", "--norc"]
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", str(HERE.parents[1]), *pairs, *shell)
    try:
        tmux("wait-for", "prompt", timeout=PATIENCE_S)
        tmux("send-keys", "clear", "Enter")
        tmux("wait-for", "prompt", timeout=PATIENCE_S)
        for command in COMMANDS:
            tmux("send-keys", "-l", command)
            tmux("send-keys", "Enter")
            tmux("wait-for", "prompt", timeout=PATIENCE_S)
        screen = tmux("capture-pane", "-p", "-e", capture_output=True, text=True).stdout
        tmux("send-keys", "cais down", "Enter")
        tmux("wait-for", "prompt", timeout=PATIENCE_S)
        return screen
    finally:
        tmux("kill-server")


def runs(line):
    """The line's pieces of one style each: column, text, colour, bold."""
    colour, bold, dim, column = None, False, False, 0
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([0-9;]*)m", line):
        if text:
            yield column, text, (DIM if dim and colour is None else colour), bold
            column += len(text)
            continue
        for code in (int(code or 0) for code in codes.split(";")):
            if code == 0:
                colour, bold, dim = None, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 22:
                bold = dim = False
            elif 30 <= code <= 37:
                colour = COLOURS[code - 30]
            elif 90 <= code <= 97:
                colour = COLOURS[code - 90]
            elif code == 39:
                colour = None


def draw(screen):
    lines = [line.rstrip() for line in screen.splitlines()]
    while lines and not re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]).strip(" $"):
        lines.pop()
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    label = "A terminal: " + "; ".join(COMMANDS)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(label)}">',
        "<style>text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        f"font-size:{FONT_SIZE}px}}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="8" fill="{BACKGROUND}" '
        f'stroke="{FRAME}"/>',
        f'<g fill="{FOREGROUND}">',
    ]
    for number, line in enumerate(lines):
        y = MARGIN + number * LINE_HEIGHT + FONT_SIZE
        for column, text, colour, bold in runs(line):
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="700"' if bold else "")
            # Words between wider gaps stand by themselves, each at its column and as wide as its cells: so
            # columns stay below each other in whatever font the reader has.
            for words in re.finditer(r"\S+(?: \S+)*", text):
                x, length = MARGIN + (column + words.start()) * CELL_WIDTH, len(words[0]) * CELL_WIDTH
                drawn.append(
                    f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"{style}>'
                    f"{escape(words[0], quote=False)}</text>"
                )
    return "\n".join([*drawn, "</g>", "</svg>"]) + "\n"


def main():
    with tempfile.TemporaryDirectory(prefix="cais-") as state:
        screen = record(state)
    if "rolled back" not in screen:
        sys.exit(f"this is not the session that was meant:\n{screen}")
    (HERE / "up.svg").write_text(draw(screen))


main()
