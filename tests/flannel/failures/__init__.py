"""How flannel fails, as scenarios that are run: see ``run`` for the form, ``table`` for the list."""
