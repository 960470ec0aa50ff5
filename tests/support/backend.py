# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the LMS back end is told by its environment, for tests that write it out by hand."""

from __future__ import annotations

__all__ = ["BACKEND_SETTINGS"]

# All but what is a client's own: its id, its seed, the token of the SMS service, and the two DSNs.
BACKEND_SETTINGS = {
    "LMS_SERVER_DEBUG": "true",
    "LMS_SERVER_PORT": ":8080",
    "LMS_SERVER_STATIC": "/mnt/image/static",
    "LMS_KEYS_TOKEN_TTL_HOURS": "8",
    "LMS_KEYS_PRIVATE_KEY_PATH": "/etc/lms/rsa_key",
    "LMS_LOGS_DIRECTORY": "logs",
    "LMS_LOGS_FILENAME": "log.log",
    "LMS_LOGS_LOG_TO_FILE": "false",
    "LMS_LOGS_MAX_AGE_DAY": "1",
    "LMS_LOGS_MAX_BACKUPS": "3",
    "LMS_LOGS_MAX_SIZE_MB": "1",
    "LMS_NOTIFICATIONS_SMS4B_PASSCODE_LIFETIME": "120",
    "LMS_NOTIFICATIONS_SMS4B_SENDER": "1C-RARUS",
    "LMS_STORAGE_CLICKHOUSE_DEMO": "internal/server/demodata/clickhouse",
    "LMS_STORAGE_CLICKHOUSE_MIGRATIONS": "file://internal/server/migrations/clickhouse",
    "LMS_STORAGE_CLICKHOUSE_INTERVAL_MS": "100",
    "LMS_STORAGE_CLICKHOUSE_UPDATE_ATTEMPTS": "3",
    "LMS_STORAGE_POSTGRES_DEMO": "internal/server/demodata/postgres",
    "LMS_STORAGE_POSTGRES_MIGRATIONS": "file://internal/server/migrations/postgres",
    "LMS_STORAGE_POSTGRES_INTERVAL_MS": "100",
    "LMS_STORAGE_POSTGRES_UPDATE_ATTEMPTS": "3",
}
