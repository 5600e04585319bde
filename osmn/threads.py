"""Reading ahead and writing behind, so that files do not keep the network waiting."""

import collections
import concurrent.futures


def read_ahead(read, paths, ahead=4):
    """Yield `read(path)` for each path, in order, `ahead` of them being read by a thread in the meantime."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = collections.deque()
        for path in paths:
            pending.append(pool.submit(read, path))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def run_ahead(items, ahead=4):
    """Yield what the iterator `items` yields, none of it None, up to `ahead` made by a thread in the meantime.

    An error comes out where its item is asked for. Close it before what it reads from.
    """
    pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="frames")
    try:
        pending = collections.deque(pool.submit(next, items, None) for _ in range(max(1, ahead)))
        while (item := pending.popleft().result()) is not None:
            pending.append(pool.submit(next, items, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


class WriteBehind:
    """Runs writes on a thread, at most `limit` behind; errors come out at a later call or at the end of the block."""

    def __init__(self, limit=32):
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._pending = collections.deque()
        self._limit = limit

    def __enter__(self):
        return self

    def __call__(self, write, *arguments):
        """Have `write(*arguments)` run."""
        self._pending.append(self._pool.submit(write, *arguments))
        while len(self._pending) > self._limit:
            self._pending.popleft().result()

    def __exit__(self, error, *_):
        self._pool.shutdown()
        if error is None:
            for future in self._pending:
                future.result()
