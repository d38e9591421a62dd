"""I empty the table: there is room again.

finds: 10.peak.repaired NO_REPAIR
"""

# answer: 10.peak
peak = {
    "cause": "conntrack-full",
    "script": """
node1$ conntrack -F
""",
}
