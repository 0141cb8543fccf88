# UNTESTED: nobody has built this yet. An image with the programs on the CPU, or on a GPU with the NVIDIA runtime.
#   docker build -t product-repr .
#   docker run --rm -v "$PWD:/data" -w /data product-repr repr index build --data shop/ --out shop.index
FROM python:3.11-slim
WORKDIR /opt/product-repr
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY tools/setup tools/uv.txt tools/
COPY repr repr
COPY rpc_transfer rpc_transfer
RUN ./tools/setup
ENV PATH=/opt/product-repr/.venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["repr", "--help"]
