# The app without a database: docker-compose.yml brings PostgreSQL.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.client.json vite.server.config.ts schema.graphql ./
COPY scripts ./scripts
COPY src ./src
COPY dashboard ./dashboard
RUN npm run build \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends chromium-headless-shell ffmpeg fonts-liberation tini util-linux \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin tabwire \
  && install -d -m 0700 -o tabwire -g tabwire /data
WORKDIR /app
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build /build/dist-dashboard ./dist-dashboard
COPY package.json schema.graphql LICENSE ./
COPY bin ./bin
COPY scripts ./scripts
COPY drizzle ./drizzle
COPY examples ./examples
ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  PORT=4000 \
  TABWIRE_DATA_DIR=/data \
  TABWIRE_EGRESS=public
USER tabwire
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# The browsers' processes end up with PID 1 when their parent dies: tini buries them.
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/bin/tabwire.mjs"]
CMD ["serve"]
