# One image for every duty of Fairlead in a cluster: operator, gateway, model servers, the orchestrator of a graph, the
# sidecar and the storage initializer. docs/kubernetes-image.md says how it is built, for which formats, and how small.
#
#   docker build -t fairlead .                                                     every format of the extra `all`
#   docker build -t fairlead:sklearn --build-arg EXTRAS=sklearn,kubernetes .       one of them
#   docker build -t fairlead --build-arg BASE=registry.local/python:3.12 .         on another base
#
# A base has Python 3.11 or newer as `python3`; the one that builds has `venv` and pip too. Nothing here needs BuildKit.
ARG BASE=docker.io/library/python:3.12-slim-bookworm
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
ARG EXTRAS=all,kubernetes
# Where packages come from, when it is not PyPI: https://pip.pypa.io/en/stable/topics/configuration/
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_CERT
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv --without-pip /opt/fairlead && python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet "uv>=0.8"
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
# The versions that were tested, for what is installed below; torch has no version there (CONTRIBUTING.md).
RUN /opt/uv/bin/uv export --quiet --frozen --no-dev --all-extras --no-hashes --no-emit-project \
      --output-file /versions.txt
COPY src src
# uv is told in its own words where packages come from; like pip it takes the newest version of all indexes. The
# project's settings for it are for the lock: they leave torch out. Measured with sklearn,kubernetes on two busy cores:
# the whole build takes 104 s, and 148 s where pip installs.
RUN export UV_DEFAULT_INDEX="${PIP_INDEX_URL:-https://pypi.org/simple}" UV_INDEX="${PIP_EXTRA_INDEX_URL}" \
      UV_INDEX_STRATEGY=unsafe-best-match UV_INSECURE_HOST="${PIP_TRUSTED_HOST}" UV_SYSTEM_CERTS=true \
 && if [ -n "${PIP_CERT}" ]; then export SSL_CERT_FILE="${PIP_CERT}"; fi \
 && /opt/uv/bin/uv pip install --quiet --no-config --no-cache --python /opt/fairlead/bin/python \
      --constraint /versions.txt ".[${EXTRAS}]" \
 # Half of what these three bring are their own tests, which import nothing that is served.
 && find /opt/fairlead/lib -type d -path "*/site-packages/*" \
      \( -path "*/sklearn/*" -o -path "*/scipy/*" -o -path "*/pandas/*" \) -name tests -prune -exec rm -rf {} + \
 # A file that is for another Python is no error.
 && (python3 -m compileall -q -j 0 /opt/fairlead/lib || true)
RUN /opt/fairlead/bin/fairlead version

FROM ${BASE}
# What wheels expect of the system: LightGBM has OpenMP from there. Empty for a base that has it; `git` for models that
# lie in git repositories.
ARG PACKAGES=libgomp1
RUN if [ -n "${PACKAGES}" ]; then \
      apt-get update -qq && apt-get install -y -qq --no-install-recommends ${PACKAGES} && rm -rf /var/lib/apt/lists/*; \
    fi \
 && echo "fairlead:x:8888:8888:Fairlead:/tmp:/usr/sbin/nologin" >> /etc/passwd \
 && echo "fairlead:x:8888:" >> /etc/group
COPY --from=build /opt/fairlead /opt/fairlead
# The root may be read-only: what is written goes to /tmp and to mounted volumes. In a pod others have to reach it.
ENV PATH=/opt/fairlead/bin:$PATH \
    HOME=/tmp \
    FAIRLEAD_POD_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 8888:8888
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="Fairlead" \
      org.opencontainers.image.description="Runs Seldon Core and KServe manifests: operator, servers, orchestrator, sidecars" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
EXPOSE 8080 8081 8000 5001 9000 9081
STOPSIGNAL SIGTERM
ENTRYPOINT ["fairlead"]
