"""Random faults at random moments under load, and the verdict on what they did. `scenarios/campaign.py` runs it on the lab's hosts.

| file | is |
|---|---|
| `faults.py` | each kind of fault: how it begins and how it ends |
| `rounds.py` | a round: its plan from a seed, the faults, the wait for health, the looks at every member |
| `load.py`, `client.py` | clients beside the hosts, whose log of acknowledged rows no fault reaches |
| `verdict.py` | what the log and the members' tables say; knows no hosts |
| `table.py` | the lines and the table that come of it |
"""
