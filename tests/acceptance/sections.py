"""The sections that the offices of these tests are configured with."""

SITE = """
[site]
id = "{id}"
name = "산청군전산실"
timezone = "Asia/Seoul"
state = "{state}"
"""

BUS = """
[bus]
url = "mqtt://127.0.0.1:{bus}"
embedded = {embedded}
"""

MONITOR = """
[monitor]
metrics = "127.0.0.1:{monitor}"
console = "127.0.0.1:{console}"
"""

DEVICES = """
[[link]]
id = "wire"
url = "tcp://127.0.0.1:{modbus}"
timeout = "1s"

[[device]]
id = "rack1"
link = "wire"
profile = "xy-md02"
unit = 1
every = "200ms"

[[alarm]]
id = "rack1-hot"
point = "rack1.temperature"
above = 32.0
deadband = 1.0
severity = "critical"
text = "랙1 온도"
evacuate = true
"""

PEOPLE = """
[[contact]]
id = "kim"
name = "김주무관"

[[channel]]
id = "hook"
kind = "webhook"
url = "{hook}"

[[channel]]
id = "book"
kind = "file"
path = "messages.jsonl"

[[route]]
severity = ["notice", "caution", "alert", "critical"]
steps = [{{ after = "0s", contacts = ["kim"], channels = ["hook", "book"], repeat = "1s", times = 30 }}]
"""

REPLICATOR = """
[replicator]
vault = "bongsu://127.0.0.1:{stream}"
metrics = "127.0.0.1:{replicator}"
"""

SOURCE = """
[[source]]
id = "docs"
path = "docs"
"""

VAULT = """
[vault]
listen = "127.0.0.1:{stream}"
root = "safe"
metrics = "127.0.0.1:{vault}"
"""
