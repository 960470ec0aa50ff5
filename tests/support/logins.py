# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a client's logins are let in by the lab's databases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .lab import Lab

__all__ = ["opens"]


def opens(lab: Lab, found: Mapping[str, str], folder: Path, client: str, *, prefix: str = "") -> dict[str, bool]:
    """Return by database whether the login of these values is let in."""
    database = prefix + client.lower()
    postgres, clickhouse = lab.facts["postgres"]["15"], lab.facts["clickhouse"]
    target = f"host={postgres['host']} port={postgres['port']} user={found['postgres-user']} dbname={database} connect_timeout=5"
    one = lab.run("psql", target, "-XAtqc", "SELECT current_user", env={"PGPASSWORD": found["postgres-password"]}, check=False)
    assert one.returncode != 0 or one.stdout.strip() == database, "a login that does not act as the owner"
    config = folder / "login.xml"
    config.write_text(f"<c><user>{found['clickhouse-user']}</user><password>{found['clickhouse-password']}</password></c>")
    words = ("--config-file", str(config), "--host", clickhouse["host"], "--port", str(clickhouse["port"]), "--query", "SELECT 1")
    two = lab.run("clickhouse-client", *words, check=False)
    return {"postgres": one.returncode == 0, "clickhouse": two.returncode == 0}
