"""Loads the rules for notebooks wherever pytest is started in this repository."""

pytest_plugins = ["k8snetlib.course.nbval_plugin"]
