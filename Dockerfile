# resnetd in a container: docker build -t resnetd . && docker run --read-only -p 8500:8500 -p 8501:8501 resnetd
# The image holds the two programs and, from Debian's own packages so that scanners and updates see them, the libraries
# they load. Tested by scripts/test.sh --image.

FROM docker.io/library/debian:trixie-slim AS build
WORKDIR /src
COPY scripts/setup.sh scripts/step.sh scripts/
RUN scripts/setup.sh build
COPY . .
RUN cmake --preset release -DRESNETD_BUILD_TESTS=OFF -DRESNETD_BUILD_BENCH=OFF \
 && cmake --build --preset release --target resnetd resnetctl \
 && install -D --strip --target-directory=/out $(find build/release -type f \( -name resnetd -o -name resnetctl \)) \
 && scripts/runtime_packages.sh /out/resnetd /out/resnetctl > /out/packages

FROM docker.io/library/debian:trixie-slim
LABEL org.opencontainers.image.title="resnetd" \
      org.opencontainers.image.description="A gRPC server for residual networks on CPUs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN --mount=type=bind,from=build,source=/out,target=/out \
    apt-get update -q \
 && xargs apt-get install -y -q --no-install-recommends < /out/packages \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log \
 && install --target-directory=/usr/local/bin /out/resnetd /out/resnetctl

# A number, so that Kubernetes' runAsNonRoot can tell. Nothing is written: the root may be read-only.
USER 65532:65532
# Outside a container both addresses are loopback's.
ENV RESNETD_ADDRESS=0.0.0.0 \
    RESNETD_METRICS_ADDRESS=0.0.0.0
EXPOSE 8500 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["/usr/local/bin/resnetctl", "health", "--timeout", "2"]
ENTRYPOINT ["/usr/local/bin/resnetd"]
