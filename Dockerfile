# camgate in a container: the packages of requirements/run.lock by their hashes, a user of its own, a root that may be read-only.
# docs/install.md tells how to run it, compose.yaml does.
#
# Any image with Python 3.11 or newer and its venv module, on glibc 2.28 or newer, will do.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
COPY requirements/run.lock requirements/build.lock /source/requirements/
RUN python3 -m venv /opt/camgate \
    && /opt/camgate/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement /source/requirements/run.lock \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement /source/requirements/build.lock
COPY . /source
# What runs needs no installer.
RUN cd /source \
    && /opt/build/bin/python -m hatchling build --target wheel --directory /opt/wheel \
    && /opt/camgate/bin/pip install --quiet --no-deps --no-index /opt/wheel/*.whl \
    && /opt/camgate/bin/pip check \
    && /opt/camgate/bin/python -m pip uninstall --quiet --yes setuptools pip \
    && cp packaging/docker/healthy /opt/camgate/bin/healthy

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="camgate" \
      org.opencontainers.image.description="RTSP cameras in the browser, over WebRTC" \
      org.opencontainers.image.licenses="MIT AND GPL-3.0-or-later"
# Volumes begin as these folders are.
RUN groupadd --gid 8107 camgate \
    && useradd --uid 8107 --gid 8107 --home-dir /var/lib/camgate --no-create-home --shell /usr/sbin/nologin camgate \
    && install -d -o root -g camgate -m 0750 /etc/camgate \
    && install -d -o camgate -g camgate -m 0750 /var/lib/camgate /var/log/camgate /run/camgate
COPY --from=build /opt/camgate /opt/camgate
ENV PATH=/opt/camgate/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/camgate \
    STATE_DIRECTORY=/var/lib/camgate \
    RUNTIME_DIRECTORY=/run/camgate \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1
# By number, so that Kubernetes can see that it is not root.
USER 8107:8107
WORKDIR /var/lib/camgate
# Pages and API; metrics, where the config opens that port; media of viewers.
EXPOSE 8107/tcp 9090/tcp 8108/udp 8108/tcp
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/camgate/bin/healthy"]
ENTRYPOINT ["camgate"]
CMD ["run", "--config", "/etc/camgate/camgate.toml"]
