"""Words for normal, faulty, training and test: any case, glued to numbers and machines; what says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.datasets.words import WORDS, folded, said_by

SAID = {  # as people write them, by hand and not off the table
    "normal": """
        OK ok_01 Okay Good GOOD normal-2 Normal NORMAL_03 healthy Intact baseline no_fault fault-free IO iO i.O.
        01_OK OK_b gut Fehlerfrei in_Ordnung bon conforme bueno buono bons non-defective undamaged NormalSound fine pass
        正常 正常品 良品 異常なし 无异常 정상 양호 исправный \uff2f\uff2b
        """,
    "anomalous": """
        NG ng1 N_OK NOK not_ok Not_Normal bad Defective defect_3 Faulty fault abnormal-2 ABNORMAL anomaly_07 Anomalous
        broken damaged fail failed worn niO n.i.O. nio nicht_in_Ordnung defekt Schlecht Défectueux defectueux averiado
        malo guasto difettoso ruim defeito AnomalousSound imbalance 異常 異常音 異常あり 不良品 异常 故障 不正常
        비정상 이상 불량 неисправный \uff2e\uff27
        """,
}
NOTHING = ["Zustand3", "ToyTrain", "bandpass", "Validation", "id_00", "normal_vs_abnormal", "fan", "001", "rig.7"]


@pytest.mark.parametrize("label", SAID)
def test_words_of_many_languages_say_normal_or_faulty(label):
    assert {name: said_by(name) and said_by(name)[:3] for name in SAID[label].split()} == dict.fromkeys(
        SAID[label].split(), (label, "", True)
    )


def test_training_and_test_are_told_too():
    said = {
        name: said_by(name)[:2]
        for name in ("Train", "TEST_01", "testdata", "テスト", "训练集", "test-normal", "Train NG")
    }
    assert said == {
        "Train": ("", "train"),
        "TEST_01": ("", "test"),
        "testdata": ("", "test"),
        "テスト": ("", "test"),
        "训练集": ("", "train"),
        "test-normal": ("normal", "test"),
        "Train NG": ("anomalous", "train"),
    }


def test_a_word_beside_a_machine_leaves_the_machine():
    parts = {name: said_by(name)[3:] for name in ("fan_faulty", "ポンプ異常", "id_00_normal", "NG left", "A_normal")}
    assert parts == {
        "fan_faulty": ("fan", ""),
        "ポンプ異常": ("ポンプ", ""),
        "id_00_normal": ("id_00", ""),
        "NG left": ("", "left"),
        "A_normal": ("A", ""),
    }
    assert said_by("NormalSound_IND") == ("normal", "", False, "", "IND")
    assert said_by("fan_test_OK")[:2] == ("normal", "test")


@pytest.mark.parametrize("name", NOTHING)
def test_what_says_nothing_or_two_things_is_not_guessed(name):
    assert said_by(name) is None


def test_no_word_stands_for_two_meanings():
    lists = [*WORDS["strong"].items(), *WORDS["weak"].items()]
    meanings = [(folded(word), meaning) for meaning, words in lists for word in set(words.split())]
    assert len(dict(meanings)) == len(set(meanings))


@given(
    st.sampled_from([(w, m) for m, words in WORDS["strong"].items() for w in words.split()]),
    st.sampled_from(["", "_1", " 02", "-3", ".4", "(5)", "_2026-03-02"]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_case_and_numbers_change_nothing(word, number, case):
    said = said_by(case(word[0]) + number)
    assert said[:3] == (word[1], "", True)
