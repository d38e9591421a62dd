"""What lives here: ``python -m k8snetlib``, which is the ``k8snet`` command."""

from k8snetlib.cli import main

if __name__ == "__main__":
    main(prog_name="k8snet")
