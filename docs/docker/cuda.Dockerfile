# Train and enhance on NVIDIA GPUs, from the folder of a clone. Torch's wheel brings CUDA's libraries;
# the host has the driver and the NVIDIA Container Toolkit.
#   docker build -f docs/docker/cuda.Dockerfile -t magenet:cuda .
#   docker run --rm --gpus all --ipc host -u "$(id -u):$(id -g)" -v "$PWD/runs:/data/runs" \
#     magenet:cuda fit --config magenet:phantoms/mean_teacher
# Pin the base by the digest that you trust: --build-arg BASE=python:3.12-slim@sha256:<digest>
ARG BASE=python:3.12-slim
FROM ${BASE} AS build
COPY . /clone
RUN pip install --no-cache-dir build==1.6.1 && python -m build --wheel --outdir /dist /clone

FROM ${BASE}
COPY constraints.txt /
COPY --from=build /dist /dist
RUN pip install --no-cache-dir -c /constraints.txt /dist/*.whl && rm -r /dist /constraints.txt \
  && useradd --create-home magenet && mkdir /data && chown magenet /data
USER magenet
ENV HOME=/tmp
WORKDIR /data
ENTRYPOINT ["magenet"]
CMD ["--help"]
