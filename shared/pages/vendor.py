"""Maintainers only: fetches what the pages need from npm, cuts it down, and writes it with its lock, `vendor.toml`.

Run `python -m shared.pages.vendor` where npm and uvx are installed; the outcome is the same on every machine.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
STATIC = HERE / "static"

PURGECSS = "purgecss@8.0.0"
FONTTOOLS = ("uvx", "--from", "fonttools==4.60.1", "--with", "brotli==1.2.0")

# What stays of Tabler: these families, whether or not a page uses them yet, so that a new page needs no new build.
FAMILIES = (
    r"container(-fluid)?|row|col(-(md|lg))?(-(auto|\d+))?|g-[0-5]",
    r"btn|btn-(primary|secondary|danger|link|sm|list)|btn-outline-(primary|secondary|danger)",
    r"form-(control|select|check|label|hint|fieldset)|form-check-(input|label|inline|description)",
    r"form-(control|select)-sm|input-group(-text)?|(is-)?invalid(-feedback)?|required|was-validated",
    r"table|table-(responsive|sm|vcenter|hover)|card|card-(body|header|title|footer|table)|badge",
    r"alert|alert-(heading|description|link|info|success|warning|danger)",
    r"nav|nav-(item|link|tabs)|navbar|navbar-(brand|nav|text|expand-md)|breadcrumb|breadcrumb-item",
    r"pagination|page-(item|link|header|title)|progress|progress-bar|list-group|list-group-(item|flush)",
    r"list-(unstyled|inline|inline-item)|active|disabled|visually-hidden(-focusable)?|small|h[1-4]",
    r"[mp][tbsexy]?-([0-5]|auto)|gap-[0-5]|d-(md-|print-)?(none|block|flex|grid|inline|inline-block)",
    r"flex-(md-)?(row|column|wrap|nowrap|fill|grow-1|shrink-0)|order-[0-2]",
    r"(justify-content|align-items|align-self)-(start|end|center|between|baseline|stretch)",
    r"text-(start|end|center|nowrap|truncate|break|secondary|danger|reset)|fw-(normal|medium|bold)",
    r"font-monospace|border|border-(0|top|bottom)|overflow-auto|w-(auto|100)|h-100|position-(relative|sticky)",
)
ELEMENTS = (
    "html body main header footer nav section article a p h1 h2 h3 h4 ul ol li dl dt dd table caption thead tbody tr th"
    " td form fieldset legend label input button select option textarea progress small strong em b abbr code pre kbd"
    " hr img svg time blockquote details summary type radio checkbox"
)

LATIN = "U+0000-00FF,U+0131,U+0152-0153,U+02C6,U+02DA,U+02DC,U+2000-206F,U+20AC,U+2122,U+2212"
LATIN_EXTENDED = "U+0100-0130,U+0132-0151,U+0154-017F,U+0218-021B,U+1E9E"

PACKAGES = (
    ("@tabler/core", "1.6.1", "MIT", {"tabler.min.css": "dist/css/tabler.min.css"}),
    ("htmx.org", "2.0.11", "0BSD", {"htmx.min.js": "dist/htmx.min.js", "licences/htmx.txt": "LICENSE"}),
    (
        "@fontsource-variable/inter",
        "5.3.0",
        "OFL-1.1",
        {
            "inter-latin.woff2": "files/inter-latin-wght-normal.woff2",
            "inter-latin-ext.woff2": "files/inter-latin-ext-wght-normal.woff2",
            "licences/inter.txt": "LICENSE",
        },
    ),
)


def run(*command: str, cwd: Path) -> str:
    """The standard output of a command that must succeed."""
    program = shutil.which(command[0])
    if program is None:
        raise SystemExit(f"{command[0]} is not installed. Install it, then run this again.")
    return subprocess.run([program, *command[1:]], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def fetch(package: str, version: str, folder: Path) -> Path:
    """The unpacked npm package."""
    archive = run("npm", "pack", "--silent", f"{package}@{version}", cwd=folder).split()[-1]
    target = folder / package.replace("/", "-")
    with tarfile.open(folder / archive) as content:
        content.extractall(target, filter="data")
    return target / "package"


def purge(css: Path, folder: Path) -> None:
    """Leaves the families and elements above in a style sheet, with the variables they use."""
    (folder / "elements.txt").write_text(ELEMENTS)
    families = ", ".join(f"/^({family})$/" for family in FAMILIES)
    (folder / "purgecss.config.cjs").write_text(
        f"module.exports = {{content: ['elements.txt'], css: [{json.dumps(str(css))}],"
        f" safelist: [{families}], variables: true, keyframes: true}}"
    )
    run("npx", "--yes", PURGECSS, "--config", "purgecss.config.cjs", "--output", str(css), cwd=folder)


def subset(font: Path, unicodes: str, folder: Path) -> None:
    """Leaves the weights 400 to 600 and the given characters in a font."""
    cut = folder / "cut.ttf"
    weights = ("varLib.instancer", str(font), "wght=400:600", "--no-recalc-timestamp", "-o", str(cut))
    run(*FONTTOOLS, "fonttools", *weights, cwd=folder)
    options = ("--flavor=woff2", "--layout-features=kern,mark,mkmk,ccmp,locl,calt,tnum", f"--unicodes={unicodes}")
    run(*FONTTOOLS, "pyftsubset", str(cut), *options, f"--output-file={font}", cwd=folder)


def main() -> None:
    """Fetches, cuts and locks."""
    entries = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for package, version, _, files in PACKAGES:
            source = fetch(package, version, folder)
            for name, inside in files.items():
                shutil.copyfile(source / inside, STATIC / name)
        purge(STATIC / "tabler.min.css", folder)
        subset(STATIC / "inter-latin.woff2", LATIN, folder)
        subset(STATIC / "inter-latin-ext.woff2", LATIN_EXTENDED, folder)
    for package, version, licence, files in PACKAGES:
        for name in files:
            digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
            fields = {"name": package, "version": version, "licence": licence, "file": name, "sha256": digest}
            entries.append("[[asset]]\n" + "".join(f'{key} = "{value}"\n' for key, value in fields.items()))
    (HERE / "vendor.toml").write_text("\n".join(entries))


if __name__ == "__main__":
    main()
