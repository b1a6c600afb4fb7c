# One image for web, workers, beat and the migrate step; compose.yaml has the commands.
FROM python:3.13-slim

# Agents' turns and deployments work in git repositories; a contained agent runs in a box of bubblewrap's, for which the
# container must let processes make user namespaces. Backups take pg_dump of the server's own version, which is
# that of compose.yaml; Debian has another, PostgreSQL's own packages have each.
ARG PG_MAJOR=18
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git openssh-client ca-certificates postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install --yes --no-install-recommends "postgresql-client-${PG_MAJOR}" \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=portal.settings \
    DATA_DIR=/data \
    STATIC_ROOT=/app/staticfiles \
    STATIC_COMPRESSED=1

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.lock

COPY . .
# Built with a throw-away data folder, so that no key is left in the image.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0 \
    && rm -rf /tmp/build \
    && useradd --uid 1000 --create-home --shell /usr/sbin/nologin shiproom \
    && install --directory --owner shiproom --group shiproom --mode 700 /data

USER 1000:1000
VOLUME /data
EXPOSE 8000
HEALTHCHECK NONE
CMD ["python", "manage.py", "serve", "web"]
