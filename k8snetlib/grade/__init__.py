"""What lives here: ``k8snet grade``: a class's submissions in, fair grades and feedback out.

The way of a submission, one module a step:

* ``layouts`` finds the submissions in a folder, ``intake`` reads one: only answers are taken.
* ``answering`` runs the answers inside the fence of ``sandbox``; plain JSON comes out, ``strict``
  reads it. No expected value, check or other submission is inside the fence.
* ``judging`` runs the pristine exercise notebook under nbval on those answers. No learner code is
  there. ``warm`` keeps kernels ready, so that it takes no time.
* ``run`` does all this for a whole class, side by side, and writes one ``record`` a submission.
* ``feedback``, ``gradebook`` and ``analysis`` read records and nothing else.

What may not live here: exercises, checks, beliefs (``course``); the command line (``cli``).
"""
