"""What lives here: the model beside the real kernel.

* ``script``: a cluster of the model as a shell script that builds it in real network namespaces.
* ``inside``: the small programs that run in those namespaces (servers, flanneld's proxy).
* ``kernel``: such a lab as a thing to send packets through and to look into.
* ``leftovers``: what a killed lab left behind, removed by the next one.
* ``frames``, ``rules``: what the kernel did, in the words of the model.
* ``verify``: the same packets through both, and every difference in words.

All but ``script`` touch the machine (never its own network namespace), and need root.
"""
