# DistCache in a container: a user without rights, one folder that it writes, a health check without other tools.
#   docker build -t distcache .
#   docker run -p 127.0.0.1:6379:6379 -p 127.0.0.1:8080:8080 -v distcache:/data -e DISTCACHE_REQUIREPASS=... --read-only distcache
# Protected mode holds in a container as well: without a password only the container itself may connect (docs/security.md).

FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/runtime/package.json scripts/runtime/
# The runtime packages are optional, and the image has its own Node.js.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26-bookworm-slim AS bundle
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/runtime/package.json scripts/runtime/
# Optional packages too: the bundler's binary is one.
RUN npm ci --ignore-scripts
COPY bin bin
COPY src src
COPY workers workers
COPY scripts/build.ts scripts/bundle.ts scripts/
RUN node scripts/build.ts

FROM node:26-bookworm-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=bundle /app/dist dist
COPY package.json ./
COPY bin bin
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
ENV DISTCACHE_BIND="* -::*" DISTCACHE_HTTP_BIND="*" DISTCACHE_DIR=/data
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 6379 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.DISTCACHE_HTTP_PORT ?? 8080) + '/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/bin/distcache.mjs"]
