# One image for every process: `serve` (the default), `worker`, `migrate`, `check`, `verify`.
# Builds GraphiQL, the studio and the documentation; neither Node nor what only builds them is part of the final image.
FROM node:24-slim AS graphiql
WORKDIR /graphiql
COPY web/graphiql/package.json web/graphiql/package-lock.json web/graphiql/.npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY web/graphiql/ ./
RUN npm run build

FROM node:24-slim AS studio
WORKDIR /studio/web/studio
COPY web/studio/package.json web/studio/package-lock.json web/studio/.npmrc ./
RUN npm ci --ignore-scripts --no-audit
# It is typed by the schema, and uses the client package by its source.
COPY schema/schema.graphql /studio/schema/
COPY examples/typescript/codegen/ /studio/examples/typescript/codegen/
COPY examples/typescript/src/ /studio/examples/typescript/src/
COPY web/studio/ ./
RUN npm run build

FROM python:3.11-slim AS code
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app

# Packages first: they change less often than the code, so their layer is cached.
COPY requirements/run.lock requirements/run.lock
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements/run.lock

COPY main.py composition.py health_check.py state_check.py logs.py adapters.py provider_adapters.py settings.py server_settings.py generation_settings.py identity_settings.py secret_files.py setting_types.py ./
COPY commands/ commands/
COPY locales/ locales/
COPY migrations/ migrations/
COPY models/ models/
COPY profiles/ profiles/
COPY resolvers/ resolvers/
COPY schema/ schema/
COPY services/ services/
COPY telemetry/ telemetry/
COPY web/ web/

FROM code AS documentation
COPY requirements/docs.lock requirements/docs.lock
RUN python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements/docs.lock
COPY tools/build_documentation.py tools/documentation_pages.py tools/api_reference.py tools/
COPY docs/ docs/
RUN python -m tools.build_documentation

FROM code
COPY --from=graphiql /graphiql/dist/ web/graphiql/dist/
COPY --from=studio /studio/web/studio/dist/ web/studio/dist/
COPY --from=documentation /app/web/documentation/dist/ web/documentation/dist/

# HOST and DATA_DIR are settings of the server (docs/configuration.md): it must be reachable from outside the container,
# and its SQLite file and local storage, if used, belong on a volume.
ENV HOST=0.0.0.0 \
    DATA_DIR=/data

RUN useradd --system --uid 10001 --no-create-home darkroom && install -d -o darkroom -m 700 /data

# The code is owned by root, so the running process cannot modify it.
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# For servers; workers listen on no port, so compose.yaml disables it for them.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=2); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["python", "main.py"]
CMD ["serve"]
