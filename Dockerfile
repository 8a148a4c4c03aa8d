# feedhub in a container: docs/running.md tells how. Build: docker build -t feedhub .
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements-run.lock ./
RUN python -m venv /opt/feedhub \
 && /opt/feedhub/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY scripts/package_metadata.py scripts/
COPY config/feedhub.service config/
COPY src src
RUN pip install --no-cache-dir build \
 && python -m build --wheel --outdir dist \
 && /opt/feedhub/bin/pip install --no-cache-dir --no-deps dist/*.whl \
 && /opt/feedhub/bin/pip uninstall -y pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin feedhub \
 && install -d -o feedhub -g feedhub /data /data/config /data/var /data/output
COPY --from=build /opt/feedhub /opt/feedhub
ENV PATH=/opt/feedhub/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 FEEDHUB_CONFIG=/data/config/feedhub.yaml
USER feedhub
WORKDIR /data
VOLUME ["/data/var", "/data/output"]
STOPSIGNAL SIGTERM
# Asks whether a daemon holds the store and when its next poll is due; no web server is needed for it.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s CMD ["feedhub", "health"]
ENTRYPOINT ["feedhub"]
CMD ["run", "--log", "json"]
