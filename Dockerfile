# The operator with the plugins of this tree.
#
#   docker build -t kamaji .
#   docker build -t kamaji --build-arg PLUGINS="datastore_etcd" .
#
# A plugin of somebody else's is added by an image on top of this one:
#
#   FROM kamaji
#   USER root
#   COPY wheels /wheels
#   RUN python3 -m pip --python /opt/kamaji/bin/python3 install --no-index /wheels/*.whl
#   USER 65532:65532

FROM docker.io/library/python:3.11-slim-bookworm AS build
ARG PLUGINS="datastore_etcd kine datastore_postgres addon_coredns addon_konnectivity addon_kubeproxy"
WORKDIR /source
COPY constraints.txt pyproject.toml LICENSE README.md ./
COPY kamaji_core kamaji_core
COPY plugins plugins
RUN python3 -m venv --without-pip /opt/kamaji \
    && python3 -m pip --python /opt/kamaji/bin/python3 install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt . $(for plugin in $PLUGINS; do echo "./plugins/$plugin"; done)

FROM docker.io/library/python:3.11-slim-bookworm
COPY --from=build /opt/kamaji /opt/kamaji
ENV PATH=/opt/kamaji/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# Nobody in particular; nothing is written to the disk.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["kamaji"]
CMD ["manager"]
