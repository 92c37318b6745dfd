"""What a plan says in each zone unless the clinician writes something else; part of what the clinician signs."""

from backend.clinical.peak_flow import Zone

Instructions = dict[str, dict[str, list[str]]]

_STANDARD: Instructions = {
    "en": {
        Zone.GREEN: [
            "Take your controller inhaler every day, also when you feel well.",
            "Keep your reliever inhaler with you.",
        ],
        Zone.YELLOW: [
            "Take your reliever inhaler as prescribed, and measure again afterwards.",
            "Go on with your controller inhaler.",
            "Call your clinic today if you are not back in green, or if you need your reliever more often.",
        ],
        Zone.RED: [
            "Sit upright and take your reliever inhaler now.",
            "Call {emergency_number} if it does not help at once, if you cannot speak a sentence, "
            "or if your lips turn blue.",
            "Call your clinic today, also if you feel better.",
        ],
    },
    "ko": {
        Zone.GREEN: [
            "몸 상태가 좋아도 조절제 흡입기를 매일 사용하세요.",
            "증상 완화제 흡입기를 항상 가지고 다니세요.",
        ],
        Zone.YELLOW: [
            "처방받은 대로 증상 완화제 흡입기를 사용하고, 그 뒤에 다시 측정하세요.",
            "조절제 흡입기는 계속 사용하세요.",
            "초록 구간으로 돌아오지 않거나 완화제가 더 자주 필요하면 오늘 병원에 전화하세요.",
        ],
        Zone.RED: [
            "똑바로 앉아 지금 바로 증상 완화제 흡입기를 사용하세요.",
            "바로 나아지지 않거나, 한 문장을 말하기 어렵거나, 입술이 파래지면 {emergency_number}에 전화하세요.",
            "나아진 것 같아도 오늘 병원에 전화하세요.",
        ],
    },
    "et": {
        Zone.GREEN: [
            "Kasutage hoidvat inhalaatorit iga päev, ka siis, kui enesetunne on hea.",
            "Hoidke hooinhalaator alati kaasas.",
        ],
        Zone.YELLOW: [
            "Kasutage hooinhalaatorit nii, nagu arst on määranud, ja mõõtke seejärel uuesti.",
            "Jätkake hoidva inhalaatoriga.",
            "Helistage täna oma arstile, kui te ei jõua tagasi rohelisse alasse või vajate hooinhalaatorit sagedamini.",
        ],
        Zone.RED: [
            "Istuge püsti ja kasutage kohe hooinhalaatorit.",
            "Helistage {emergency_number}, kui see kohe ei aita, kui te ei suuda lauset lõpuni öelda "
            "või kui huuled muutuvad siniseks.",
            "Helistage täna oma arstile ka siis, kui hakkab parem.",
        ],
    },
}


def standard_instructions(emergency_number: str) -> Instructions:
    """Language → zone → sentences."""
    return {
        language: {
            zone: [sentence.format(emergency_number=emergency_number) for sentence in sentences]
            for zone, sentences in zones.items()
        }
        for language, zones in _STANDARD.items()
    }
