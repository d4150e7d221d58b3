# One image for the workers of the three engines; docker-compose.yml says which command runs.
FROM python:3.12.11-slim-bookworm

RUN useradd --create-home --uid 10001 worker
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY offcanvas ./offcanvas
RUN uv pip install --system --no-cache --no-deps .
COPY shared ./shared
COPY celery_impl ./celery_impl
COPY prefect_impl ./prefect_impl
COPY temporal_impl ./temporal_impl
COPY airflow_impl ./airflow_impl
COPY comparisons ./comparisons
RUN mkdir /rolls && chown worker /rolls
USER worker
ENV PYTHONUNBUFFERED=1 ROLLS_DIR=/rolls
# SIGTERM must reach Python itself for the graceful stop: exec form, no shell.
ENTRYPOINT ["python", "-m"]
CMD ["shared", "settings"]
