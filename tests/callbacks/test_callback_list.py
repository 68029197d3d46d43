# SPDX-License-Identifier: Apache-2.0
"""CallbackList: order, logs, and whether `fit` must return for every batch."""

import pytest

from pronghorn.callbacks import Callback, CallbackList, History, ProgbarLogger

HOOKS = [name for name in dir(Callback) if name.startswith("on_")]


class Recorder(Callback):
    def __init__(self, journal, name):
        super().__init__()
        self.journal, self.name = journal, name

    def on_epoch_end(self, epoch, logs=None):
        self.journal.append((self.name, epoch, logs))


def test_hooks_are_those_of_keras():
    assert len(HOOKS) == 16


def test_callbacks_are_called_in_order_with_sorted_float_logs():
    journal = []
    callbacks = CallbackList([Recorder(journal, "a"), [Recorder(journal, "b")]])
    callbacks.on_epoch_end(3, {"loss": 2, "accuracy": 1})
    assert [entry[:2] for entry in journal] == [("a", 3), ("b", 3)]
    assert list(journal[0][2].items()) == [("accuracy", 1.0), ("loss", 2.0)]


def test_callbacks_share_the_logs_so_that_one_can_add_a_value():
    class AddRate(Callback):
        def on_epoch_end(self, *arguments):
            arguments[1]["learning_rate"] = 0.5

    callbacks = CallbackList(AddRate(), add_history=True)
    callbacks.on_train_begin()
    given = {"loss": 1.0}
    callbacks.on_epoch_end(0, given)
    assert callbacks.history.history == {"loss": [1.0], "learning_rate": [0.5]}
    assert given == {"loss": 1.0}


@pytest.mark.parametrize("hook", [name for name in HOOKS if "batch" in name])
def test_a_batch_hook_makes_batches_needed(hook):
    def act(*arguments):
        pass

    kind = type("Batchwise", (Callback,), {hook: act})
    assert CallbackList([History(), kind()]).needs_batches


def test_epoch_hooks_and_the_progress_bar_do_not_need_batches():
    callbacks = CallbackList([Recorder([], "a")], add_history=True, add_progbar=True)
    assert not callbacks.needs_batches
    assert [type(c) for c in callbacks.callbacks] == [Recorder, History, ProgbarLogger]


def test_a_progress_bar_of_the_users_own_may_need_batches():
    class Mine(ProgbarLogger):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)

    callbacks = CallbackList([Mine()], add_progbar=True)
    assert callbacks.needs_batches
    assert len(callbacks.callbacks) == 1


def test_on_batch_end_is_called_for_training_batches():
    calls = []

    class Old(Callback):
        def on_batch_end(self, *arguments):
            calls.append(arguments)

    class Foreign:
        def on_batch_end(self, *arguments):
            calls.append(arguments)

    callbacks = CallbackList([Old(), Foreign()])
    callbacks.on_train_batch_end(5, {"loss": 1})
    assert calls == [(5, {"loss": 1.0})] * 2
    assert callbacks.needs_batches


def test_objects_with_only_some_hooks_are_accepted():
    class OnlyEnd:
        def on_train_end(self, logs=None):
            self.logs = logs

    only = OnlyEnd()
    callbacks = CallbackList([only], model=object(), epochs=1)
    callbacks.on_train_begin()
    callbacks.on_epoch_end(0, {"loss": 1.0})
    callbacks.on_train_end({"loss": 1.0})
    assert only.logs == {"loss": 1.0}
    assert not callbacks.needs_batches


def test_model_and_params_reach_all():
    callback, model = Callback(), object()
    callbacks = CallbackList(callback, model=model, verbose=0, epochs=7, steps=3)
    assert callback.model is callbacks.model is model
    assert callback.params == {"verbose": 0, "epochs": 7, "steps": 3}


def test_a_class_is_refused():
    with pytest.raises(TypeError, match=r"got the class Recorder; write Recorder\(\)"):
        CallbackList([Recorder])


def test_an_object_without_hooks_is_refused():
    with pytest.raises(TypeError, match=r"Keras's hooks .* got 3 of type int"):
        CallbackList([3])


def test_history_starts_epochs_anew_but_keeps_values():
    history = History()
    for _ in range(2):
        history.on_train_begin()
        history.on_epoch_end(0, {"loss": 1.0})
    assert history.epoch == [0]
    assert history.history == {"loss": [1.0, 1.0]}
