"""The names in the tables of common/*.def, in their order on the wire, for peers and checks that are written in Python."""
import os
import re

COMMON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../common")


def rows(file, macro="X"):
    """[(ID, name)]; a row that includes another table stands for that table's rows."""
    out, prefix = [], ("FAILED_", "")
    for line in open(os.path.join(COMMON, file)):
        if m := re.match(macro + r'\((\w+), "(\w+)"', line):
            out.append(m.groups())
        elif m := re.match(r'#define FAILURE\(.*\) X\((\w+)##id, (?:"(\w+)" )?name', line):
            prefix = m[1], m[2] or ""
        elif line.startswith('#include "common/failure.def"'):
            out += [(prefix[0] + ident, prefix[1] + name) for ident, name in rows("failure.def", "FAILURE")]
        elif line.startswith('#include "common/finish.def"'):
            out += [("FINISH_" + ident, "finish_" + name) for ident, name in rows("finish.def", "FINISH")]
        elif line.startswith('#include "common/http_counted.def"'):
            text = open(os.path.join(COMMON, "http_counted.def")).read()
            out += [("STATUS_" + status, "status_" + status) for status in re.findall(r"^COUNTED\((\w+),", text, re.M)]
            out += [("STATUS_" + ident, "status_" + name) for ident, name in rows("http_counted.def", "COUNTED_OTHER")]
    return out


COUNTERS = rows("counter.def")
METRICS = rows("metric.def")
FAILED = [name for _, name in rows("failure.def", "FAILURE")]

# Of the program that is tested, from `plateau --version`: lib.sh puts it there.
FINGERPRINT = int(os.environ.get("PLATEAU_TABLES", "0"), 16)
VERSION = int(re.search(r"#define WIRE_VERSION (\d+)", open(os.path.join(COMMON, "wire.h")).read())[1])
