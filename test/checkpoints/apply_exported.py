"""Applies exported optimizers as a stranger would, knowing only docs/export.md, and prints as JSON what comes out.

Reads a JSON list of cases from stdin: {update, init?, params: {path: {shape, data}}, steps, loss, horizon, values?}. The gradient of each
parameter p is 2 p - 1.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime as ort


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def checked(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return {
        "irVersion": model.ir_version,
        "opsets": [[entry.domain, entry.version] for entry in model.opset_import],
        "domains": sorted({node.domain for node in model.graph.node}),
        "functions": len(model.functions),
    }


def apply(case):
    update = session(case["update"])
    metadata = update.get_modelmeta().custom_metadata_map
    params = {
        "params/" + path: np.array(entry["data"], np.float32).reshape(entry["shape"])
        for path, entry in case["params"].items()
    }
    computed = {}
    if case.get("init"):
        first = session(case["init"])
        needed = {port.name for port in first.get_inputs()}
        names = [port.name for port in first.get_outputs()]
        computed = dict(zip(names, first.run(names, {k: v for k, v in params.items() if k in needed})))
    state = {}
    for entry in json.loads(metadata["state"]):
        start, name = entry["start"], "state/" + entry["name"]
        if start == "init":
            state[name] = computed[name]
        elif "copy" in start:
            state[name] = params[start["copy"]]
        else:
            state[name] = np.full(entry["shape"], start["constant"], np.float32)

    used = {port.name for port in update.get_inputs()}
    names = [port.name for port in update.get_outputs()]
    overrides = {"values/" + name: np.array(value, np.float32) for name, value in case.get("values", {}).items()}
    for step in range(case["steps"]):
        scalars = {
            "step": np.array(step, np.int64),
            "loss": np.array(case["loss"], np.float32),
            "horizon": np.array(case["horizon"], np.float32),
        }
        # Arithmetic on an array of rank 0 gives a numpy scalar, which the runtime refuses.
        grads = {"grads/" + name[7:]: np.asarray(np.float32(2) * p - np.float32(1)) for name, p in params.items()}
        feeds = {**params, **grads, **state, **overrides, **{k: v for k, v in scalars.items() if k in used}}
        outputs = dict(zip(names, update.run(names, feeds)))
        params = {name[5:]: value for name, value in outputs.items() if name.startswith("next/params/")}
        state = {name[5:]: value for name, value in outputs.items() if name.startswith("next/state/")}
    return {
        **checked(case["update"]),
        "runtime": ort.__version__,
        "overridable": sorted(port.name for port in update.get_overridable_initializers()),
        "params": {name[7:]: {"shape": list(p.shape), "data": p.reshape(-1).tolist()} for name, p in params.items()},
    }


print(json.dumps([apply(case) for case in json.load(sys.stdin)]))
