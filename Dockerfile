# syntax=docker/dockerfile:1

FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# Only what runs: the runtime from npm, the compiler and the test tools are development dependencies.
FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:26-slim
LABEL org.opencontainers.image.title="Keygate" \
      org.opencontainers.image.description="The auth gateway in front of your OpenTelemetry collector" \
      org.opencontainers.image.licenses="Apache-2.0"

# The database's folder is the only one Keygate writes to: run it with --read-only, and with a volume here.
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data

WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY LICENSE package.json ./
COPY bin ./bin
COPY --from=build /app/dist ./dist

ENV NODE_ENV=production \
    PATH=/app/bin:$PATH \
    KEYGATE_STORE_SQLITE_PATH=/data/keygate.db

# OTLP/gRPC, OTLP/HTTP, metrics and health. The admin API (7070) listens on loopback unless it is told otherwise.
EXPOSE 4317 4318 9464

# By number, so that Kubernetes can see for itself that it is not root.
USER 1000:1000

STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["keygate", "health"]

# bin/keygate becomes Node, which is then the first process: it gets SIGTERM itself, and drains.
ENTRYPOINT ["keygate"]
CMD ["serve"]
