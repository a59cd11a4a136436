"""What ONNX Runtime answers: of each NAME.onnx in a folder, for the input in NAME.npy, all outputs to NAME.npz.

    onnxruntime_answers.py FOLDER

Runs in an environment of its own (scripts/venv.sh venv-onnxruntime tools/requirements-onnxruntime.txt).
"""

import pathlib
import sys

import numpy as np
import onnxruntime


def main(folder: pathlib.Path) -> None:
    onnxruntime.set_default_logger_severity(3)
    for path in sorted(folder.glob("*.onnx")):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        answers = session.run(None, {given.name: np.load(path.with_suffix(".npy"))})
        np.savez(path.with_suffix(".npz"), **dict(zip((o.name for o in session.get_outputs()), answers)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
