# The command clients-register, and nothing but what runs it: no shell, no package manager. See
# "Containers" in docs/operations.md.
#
# The official image of Python takes 120 MB before anything is installed. This one starts empty, and
# gets the interpreter from Debian's packages.

FROM debian:trixie-slim AS build

RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
      binutils ca-certificates python3.13-venv

# pip stays in an environment of its own. Debug symbols are most of uvloop.
COPY . /source
RUN python3.13 -m venv /pip \
 && python3.13 -m venv --without-pip /opt/clients-register \
 && /pip/bin/pip --python /opt/clients-register/bin/python install \
      --no-cache-dir --no-compile '/source[postgres]' \
 && find /opt/clients-register -name '*.so' -exec strip --strip-unneeded '{}' +

# Left out: documentation, Python's own tests, conversions between character sets, and the libraries
# of curses, dbm, readline and sqlite3, which nothing here imports. Licenses stay, and so does the
# list of packages, which scanners read. nsswitch.conf makes /etc/hosts precede DNS. Bytecode does
# not depend on the times of its sources, which change when files are copied.
RUN packages="base-files libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblzma5 libssl3t64 libuuid1 \
      libzstd1 zlib1g libpython3.13-minimal libpython3.13-stdlib python3.13-minimal" \
 && dpkg-query --listfiles $packages \
      | grep -v -e '^/usr/share/' -e /gconv -e /python3.13/test -e /pydoc_data \
      > /packages.txt \
 && tar --create --file /packages.tar --no-recursion --files-from /packages.txt \
 && mkdir /image /data \
 && tar --extract --file /packages.tar --directory /image \
 && cp -a --parents -t /image /opt/clients-register /etc/nsswitch.conf \
      /etc/ssl/certs/ca-certificates.crt /usr/share/common-licenses /usr/share/doc/*/copyright \
 && dpkg-query --status $packages > /image/var/lib/dpkg/status \
 && echo 'clients-register:x:65532:65532::/data:/sbin/nologin' > /image/etc/passwd \
 && echo 'clients-register:x:65532:' > /image/etc/group \
 && python3.13 -m compileall -q --invalidation-mode unchecked-hash \
      -s /image /image/usr/lib/python3.13 /image/opt

FROM scratch
LABEL org.opencontainers.image.title="clients-register" \
      org.opencontainers.image.description="Stub, reference and conformance suite of one HTTP route" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /data /data

# There is no control token here: the stub asks for one, because it listens on all addresses.
ENV PATH=/opt/clients-register/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    CLIENTS_REGISTER_HOST=0.0.0.0

USER 65532:65532
VOLUME /data
WORKDIR /data
EXPOSE 4018
# The check itself gives up after 5 seconds.
HEALTHCHECK --interval=10s --timeout=8s --start-period=10s CMD ["clients-register", "health"]
ENTRYPOINT ["clients-register"]
CMD ["serve"]
