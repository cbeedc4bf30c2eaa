# One image for every role; the command names the role: `worker`, `scheduler`, `sftp`, `migrate`, ...
# Production needs no embedded servers: only the locked run-time dependencies are installed, each held to its hash.

# Traces need more packages: `docker build --build-arg LOCK=requirements.traced.lock`.

FROM python:3.13-slim AS build
ARG LOCK=requirements.production.lock
WORKDIR /src
RUN python -m venv /opt/keymill
COPY requirements.*.lock ./
RUN /opt/keymill/bin/pip install --no-cache-dir --require-hashes -r $LOCK
COPY . .
RUN /opt/keymill/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/keymill keymill \
    && install -d -m 700 -o keymill -g keymill /var/lib/keymill/.keymill
COPY --from=build /opt/keymill /opt/keymill
ENV PATH=/opt/keymill/bin:$PATH PYTHONUNBUFFERED=1
USER keymill
WORKDIR /var/lib/keymill
ENTRYPOINT ["keymill"]
CMD ["--help"]
