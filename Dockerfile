# The demo site for docker-compose.yml: one image for web, worker, beat and the one-off preparation.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1

RUN useradd --create-home --uid 1000 demo && install -d -o demo -g demo /data
WORKDIR /app

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY trusted_devices ./trusted_devices
RUN pip install -c constraints.txt "pip>=25.1" \
    && pip install -c constraints.txt -e . --group demo "psycopg[binary]"

COPY manage.py ./
COPY demo_site ./demo_site
COPY templates ./templates

USER demo
ENV DEMO_DIR=/data
EXPOSE 8000
CMD ["gunicorn", "--config", "python:demo_site.gunicorn_conf", "--bind", "0.0.0.0:8000", "demo_site.wsgi:application"]
