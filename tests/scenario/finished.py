"""finished.py RUN-FOLDER [ID,ID…]: a hash over all that the run's file holds of its finished stages, or of those with these ids. Without ids their ids come
first, on a line of their own."""
import hashlib
import sqlite3
import sys

db = sqlite3.connect("file:%s/run.sqlite?mode=ro" % sys.argv[1], uri=True)
given = sys.argv[2:] and sys.argv[2]
if given:
    only = [int(x) for x in given.split(",")]
else:
    only = [r[0] for r in db.execute("SELECT id FROM stage WHERE ended_wall_ns IS NOT NULL AND NOT aborted ORDER BY id")]
    print(",".join(map(str, only)))
h = hashlib.sha256()
for t in ("stage", "snapshot", "stage_agent", "stage_address", "stage_hist", "stage_counter", "series", "block", "verdict"):
    for i in only:
        for row in db.execute("SELECT * FROM %s WHERE %s = ? ORDER BY 1, 2, 3" % (t, "id" if t == "stage" else "stage_id"), (i,)):
            h.update(repr(row).encode())
print(h.hexdigest())
