"""Makes each peer's own Python environment, `benchmarks/peers/<name>/.venv`, from its pinned list.

    python benchmarks/peers/setup_peer.py tabularargn origami

torch comes first and alone, and only where the registry's plan for it holds no CUDA packages
(`--cuda` allows them). The rest is a closure, installed without dependency resolution: resolved,
TabularARGN would also bring torchvision and torchaudio, which do not import beside a CPU torch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PEERS = tuple(sorted(path.parent.name for path in FOLDER.glob("*/requirements.txt")))
CUDA = ("nvidia-", "cuda-")


def main() -> None:
    """Build the environments named on the command line; all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--cuda", action="store_true", help="accept a torch with CUDA packages")
    options = parser.parse_args()
    unknown = sorted(set(options.peers) - set(PEERS))
    if unknown:
        parser.error(f"expected peers of {', '.join(PEERS)}, got {', '.join(unknown)}")
    for peer in options.peers or PEERS:
        build(FOLDER / peer, allows_cuda=options.cuda)


def build(folder: Path, *, allows_cuda: bool) -> None:
    """Make or complete the environment of one peer."""
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / ".venv", with_pip=True)
    pins = [line for line in (folder / "requirements.txt").read_text().split() if "==" in line]
    torch = next((pin for pin in pins if pin.startswith("torch==")), None)
    if torch is not None:
        cuda = cuda_packages(python, torch)
        if cuda and not allows_cuda:
            raise SystemExit(
                f"{torch} would bring {len(cuda)} CUDA packages ({cuda[0]}, ...). Let pip find a "
                "CPU build (a wheel through PIP_FIND_LINKS), or accept them with --cuda."
            )
        install(python, torch)
    rest = tempfile.NamedTemporaryFile("w", suffix=".txt")  # noqa: SIM115 - closed below
    with rest:
        rest.write("\n".join(pin for pin in pins if pin != torch))
        rest.flush()
        install(python, "--no-deps", "-r", rest.name)
    print(f"{folder.name}: {python}")


def cuda_packages(python: Path, torch: str) -> list[str]:
    """CUDA packages that pip would install for this torch; none where it is installed already."""
    plan = subprocess.run(
        [python, "-m", "pip", "install", "--dry-run", torch],
        check=True,
        capture_output=True,
        text=True,
    )
    words = [word for line in plan.stdout.splitlines() for word in line.split()]
    return sorted({word for word in words if word.startswith(CUDA)})


def install(python: Path, *arguments: str) -> None:
    """Run pip of this environment."""
    command = [str(python), "-m", "pip", "install", "--quiet", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
