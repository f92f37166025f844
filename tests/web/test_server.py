"""The options of the servers."""

import gc

from web.server import tune_garbage_collection

PYTHON_DEFAULT = (700, 10, 10)


def test_tuned_garbage_collection_leaves_old_objects_out() -> None:
    before = gc.get_threshold()
    gc.set_threshold(*PYTHON_DEFAULT)  # tests/conftest.py has tuned this process, too
    try:
        tune_garbage_collection()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > PYTHON_DEFAULT[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
