# SPDX-License-Identifier: Apache-2.0
"""The command `pronghorn`: `pronghorn demo`, `pronghorn bench` and `pronghorn info`.

Whatever goes wrong is one line on stderr and exit status 2, never a traceback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pronghorn
from pronghorn import config
from pronghorn._native import core as _core
from pronghorn.utils import console

_ERROR = 2
_INTERRUPTED = 130  # what shells report for Ctrl-C
_LONGEST = 3600  # seconds of a benchmark


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_ERROR, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        sys.stderr.write("pronghorn: interrupted\n")
        return _INTERRUPTED
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"pronghorn: error: {message}\n")
        return _ERROR
    return 0


def _parser() -> _Parser:
    parser = _Parser(prog="pronghorn", description="Convolutional networks on CPUs.")
    parser.add_argument(
        "--version", action="version", version=f"pronghorn {pronghorn.__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo", help="train LeNet-5 on handwritten digits and draw what it learned"
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the MNIST IDX files (default: scikit-learn's digits)",
    )
    demo.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("pronghorn-demo.png"),
        help="picture to write (default: %(default)s)",
    )
    demo.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        default=Path("pronghorn-demo.weights.h5"),
        help="weights to write (default: %(default)s)",
    )
    demo.add_argument("--epochs", type=_positive, metavar="N", help="epochs to train")
    demo.add_argument("--batch-size", type=_positive, metavar="N", help="images a step")
    demo.add_argument(
        "--seed", type=int, default=0, metavar="N", help="default: %(default)s"
    )
    bench = commands.add_parser(
        "bench", help="time training steps of well-known networks on this machine"
    )
    bench.add_argument(
        "networks", nargs="+", metavar="NET:BATCH", help="such as lenet5:32 resnet18:16"
    )
    bench.add_argument(
        "--profile",
        action="store_true",
        help="time each stage of a step, on one thread",
    )
    bench.add_argument(
        "--seconds",
        type=_seconds,
        default=2.0,
        metavar="S",
        help="time to spend on a network (default: %(default)s)",
    )
    commands.add_parser("info", help="version, CPU, instruction set, threads and BLAS")
    return parser


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got '{text}'")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"expected seconds from 0 to {_LONGEST}, got '{text}'"
        )
    return seconds


def _info(_options: argparse.Namespace) -> None:
    facts = {
        "version": pronghorn.__version__,
        "CPU": _core.cpu_name(),
        "instruction set": f"{_core.isa()} (of {', '.join(_core.supported_isas())})",
        "threads": config.num_threads(),
        "BLAS": _core.blas_info(),
    }
    for name, fact in facts.items():
        console.write(f"{name:<16} {fact}\n")


def _demo(options: argparse.Namespace) -> None:
    from pronghorn import demo  # noqa: PLC0415 keeps `pronghorn info` quick

    demo.run(
        demo.Options(
            data=options.data,
            output=options.output,
            weights=options.weights,
            epochs=options.epochs,
            batch_size=options.batch_size,
            seed=options.seed,
        )
    )


def _bench(options: argparse.Namespace) -> None:
    from pronghorn.bench import command  # noqa: PLC0415 keeps `pronghorn info` quick

    command.run(command.Options(options.networks, options.profile, options.seconds))


_COMMANDS = {"bench": _bench, "demo": _demo, "info": _info}
