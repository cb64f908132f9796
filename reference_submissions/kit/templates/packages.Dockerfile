# One layer of packages on a base, kept as an image of its own: every method that needs them shares it.
ARG BASE
FROM ${BASE} AS installed
# The stage is thrown away, and the wheels with it.
ARG BUILD_ID=none
LABEL mood.stage=${BUILD_ID}
COPY wheels/ /wheels/
# Gone again: tests, and what is for building on torch (a quarter of it), not for predicting with it.
RUN python -m pip install --no-index --no-deps --no-cache-dir --target /new/packages /wheels/*.whl \
    && find /new/packages -depth \( -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) \
        -o -path '*/torch/bin/test_*' -o -path '*/torch/bin/protoc*' \) -exec rm -rf {} +

FROM ${BASE}
COPY --from=installed /new/ /
ENV PYTHONPATH=/packages
