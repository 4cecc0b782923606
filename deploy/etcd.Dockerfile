# etcd as Debian packages it, which is what the tests run against: a user without rights, one folder that it writes, and etcdctl for the
# health check. docker-compose.yml builds it; any image of etcd 3.4 or newer will do as well.

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends etcd-server etcd-client \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=10002 --group=10002 --mode=0700 /data
VOLUME /data
WORKDIR /data
USER 10002:10002
EXPOSE 2379 2380
STOPSIGNAL SIGTERM
ENTRYPOINT ["etcd"]
