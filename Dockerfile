# Three steps: everything needed to build, only what is needed to run, the image.

FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build

FROM node:26-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY config ./config
# The operator's states outlive the container if a volume is mounted here.
RUN mkdir -p -m 0700 /var/lib/weir && chown node:node /var/lib/weir
ENV STATE_DIRECTORY=/var/lib/weir
USER node
EXPOSE 8080
# 503 when no worker's loop has turned for five seconds. The admin port stays inside the container.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9900/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# The proxy is process 1 and handles TERM itself: it drains, then exits with 0.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["run", "/etc/weir/weir.yaml"]
