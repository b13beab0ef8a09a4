# lk in a container: built in one stage, run in another that holds the program, its data and the
# libraries that it is linked with. Works with BuildKit and with the legacy builder.
FROM debian:bookworm-slim AS build
WORKDIR /src
# The packages are those of bootstrap's own list; this layer is made again only where bootstrap changes.
COPY bootstrap ./
RUN ./bootstrap deps build
COPY . ./
RUN make -s -j"$(nproc)" \
 && make -s install DESTDIR=/image \
 && install -D -m 644 -t /image/usr/local/share/lk/plans workloads/plans/*.json \
 && strip /image/usr/local/bin/lk
# Which packages hold the libraries: asked of the program itself, so that the list stands nowhere twice.
RUN ldd /image/usr/local/bin/lk | sed -n 's|.*/\(lib[^ ]*\.so[^ ]*\) (.*|*/\1|p' \
  | xargs dpkg-query -S | cut -d: -f1 | sort -u >/image/packages

FROM debian:bookworm-slim
COPY --from=build /image/packages /tmp/packages
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive xargs apt-get install -qq -y --no-install-recommends </tmp/packages >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/packages \
 && useradd --uid 1000 --no-create-home lk \
 && install -d -o lk -g lk /archive /plans /out
COPY --from=build /image/usr/local /usr/local
USER lk
WORKDIR /out
ENTRYPOINT ["lk"]
CMD ["--help"]
