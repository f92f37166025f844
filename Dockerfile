# One image for every process: `serve` (the default), `worker`, `migrate`, `check`, `verify`.
# GraphiQL, built from its npm packages; neither they nor Node come into the image.
FROM node:24-slim AS graphiql
WORKDIR /graphiql
COPY web/graphiql/package.json web/graphiql/package-lock.json web/graphiql/.npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY web/graphiql/ ./
RUN npm run build

FROM python:3.11-slim

# HOST and DATA_DIR are settings of ours (docs/configuration.md): a container is reached from outside, and what it keeps
# without PostgreSQL and S3 belongs on a volume.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    DATA_DIR=/data

RUN useradd --system --uid 10001 --no-create-home darkroom && install -d -o darkroom -m 700 /data

WORKDIR /app

# The packages first: they change less often than the code, and so their layer is kept.
COPY requirements/run.lock requirements/run.lock
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements/run.lock

COPY main.py composition.py health_check.py logs.py adapters.py settings.py setting_types.py ./
COPY locales/ locales/
COPY migrations/ migrations/
COPY models/ models/
COPY profiles/ profiles/
COPY resolvers/ resolvers/
COPY schema/ schema/
COPY services/ services/
COPY telemetry/ telemetry/
COPY web/ web/
COPY --from=graphiql /graphiql/dist/ web/graphiql/dist/

# The code belongs to root: what runs cannot change itself.
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# Of a server; a worker listens nowhere, so compose.yaml switches it off there.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=2); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["python", "main.py"]
CMD ["serve"]
