#!/usr/bin/env bash
# Builds TensorFlow.js's native backend, @tensorflow/tfjs-node or -gpu, into the node_modules of a project.
#
#   scripts/build-tfjs-node.sh [PROJECT]             for the CPU; PROJECT is a directory, by default this repository
#   FLAVOR=gpu scripts/build-tfjs-node.sh [PROJECT]  for CUDA (the driver must be there; docs/gpu.md)
#
# The package's own install script downloads libtensorflow 2.9 from a host that is often blocked, and its CUDA is old. This script takes
# the same library out of TensorFlow's Python wheel instead, and compiles the package's two C++ files against it. It needs Linux on x64,
# npm, python3 with pip, g++ and unzip, and about 1.5 GB of disk while it works (gpu: 5 GB more). It takes under a minute, downloads apart.
#
# The project's package.json stays as it is, and its @tensorflow/tfjs (4.22) is shared with the backend. `npm ci` removes what
# this script has installed.
#
#   TENSORFLOW=2.15.1   version of the wheel (gpu: 2.21.0, which has code for recent cards)
#   WHEEL_PYTHON=3.11   Python version that the wheel is for; nothing of Python is used from it
set -euo pipefail

directory=${1:-$(dirname "${BASH_SOURCE[0]}")/..}
flavor=${FLAVOR:-cpu}
case $flavor in
  cpu) package=@tensorflow/tfjs-node wheel=tensorflow-cpu version=${TENSORFLOW:-2.15.1} ;;
  gpu) package=@tensorflow/tfjs-node-gpu wheel=tensorflow version=${TENSORFLOW:-2.21.0} ;;
  *) echo "Cannot build: expected FLAVOR to be cpu or gpu but got $flavor" >&2; exit 2 ;;
esac
for tool in npm python3 g++ unzip; do
  command -v "$tool" > /dev/null || { echo "Cannot build: expected $tool to be installed" >&2; exit 2; }
done

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
cd "$directory"
[ -f package.json ] || echo '{ "private": true }' > package.json

# Computes with the backend; fails where it doesn't load.
try() {
  TF_CPP_MIN_LOG_LEVEL=2 node -e "
    const tf = require('$package');
    const [product] = tf.tensor2d([[1, 2], [3, 4]]).matMul(tf.tensor2d([[2], [1]])).dataSync();
    if (product !== 4) throw new Error('expected 1 * 2 + 2 * 1 to be 4 but got ' + product);
    console.log('$package on libtensorflow', tf.backend().binding.TF_Version);
  "
}
if try 2> /dev/null; then exit 0; fi

# The JavaScript and the sources of the binding, without the install script; the headers of Node's C interface. npm leaves out what a
# project names as an optional peer, as this one does; --save-dev makes it a wanted package, and --no-save keeps that out of the files.
npm install --no-save --save-dev --ignore-scripts --no-audit --no-fund "$package@4.22.0" node-api-headers@1
module=$directory/node_modules/$package

# The library and its C headers, out of the wheel.
download=$(mktemp -d "$module/wheel.XXXXXX")
trap 'rm -rf "$download"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --implementation cp \
  --python-version "${WHEEL_PYTHON:-3.11}" --dest "$download" "$wheel==$version"
# unzip ends with 11 when one of the patterns matches nothing: where the headers lie differs between versions.
unzip -q "$download"/*.whl 'tensorflow/libtensorflow_*.so.2' 'tensorflow/include/tensorflow/c/*' \
  'tensorflow/include/tensorflow/core/platform/ctstring*' 'tensorflow/include/tensorflow/tsl/*' \
  'tensorflow/include/tsl/*' 'tensorflow/include/xla/tsl/*' 'tensorflow/include/external/local_tsl/*' \
  -d "$download" || [ $? = 11 ]
rm -rf "$module/deps"
mkdir -p "$module/deps/lib" "$module/lib/napi-v8"
mv "$download/tensorflow/include" "$module/deps/include"
mv "$download"/tensorflow/libtensorflow_*.so.2 "$module/deps/lib/"
# The names that the linker looks for.
ln -s libtensorflow_cc.so.2 "$module/deps/lib/libtensorflow.so"
ln -s libtensorflow_framework.so.2 "$module/deps/lib/libtensorflow_framework.so"

# NVIDIA's libraries, where libtensorflow looks for them: nvidia/*/lib beside it.
if [ "$flavor" = gpu ]; then
  python3 -m pip install --quiet --no-deps --only-binary=:all: --target "$module/deps" \
    nvidia-cublas-cu12==12.8.4.1 nvidia-cuda-cupti-cu12==12.8.90 nvidia-cuda-nvcc-cu12==12.8.93 \
    nvidia-cuda-nvrtc-cu12==12.8.93 nvidia-cuda-runtime-cu12==12.8.90 nvidia-cudnn-cu12==9.10.2.21 \
    nvidia-cufft-cu12==11.3.3.83 nvidia-curand-cu12==10.3.9.90 nvidia-cusolver-cu12==11.7.3.90 \
    nvidia-cusparse-cu12==12.5.8.93 nvidia-nccl-cu12==2.27.7 nvidia-nvjitlink-cu12==12.8.93
  # libtensorflow looks into every one of these folders but cusolver's.
  ln -sf ../../cusolver/lib/libcusolver.so.11 "$module/deps/nvidia/cusparse/lib/libcusolver.so.11"
fi

# The binding: two files.
g++ -O2 -std=c++17 -fPIC -shared -DNAPI_VERSION=8 -DBUILDING_NODE_EXTENSION \
  -I"$directory/node_modules/node-api-headers/include" -I"$module/deps/include" -I"$module" \
  "$module/binding/tfjs_backend.cc" "$module/binding/tfjs_binding.cc" \
  -L"$module/deps/lib" -ltensorflow -ltensorflow_framework -Wl,-rpath,'$ORIGIN/../../deps/lib' \
  -o "$module/lib/napi-v8/tfjs_binding.node"

try
