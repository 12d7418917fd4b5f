//! Korean.

use super::{BrokenRuleTexts, FlowTexts, NoticeTexts, RuleTexts, Texts};

const NOT_ASKED: &str =
    "본인이 요청하지 않으셨다면 이 페이지를 닫아 주십시오. 버튼을 누르지 않으면 아무것도 바뀌지 않습니다.";

pub(super) static TEXTS: Texts = Texts {
    language: "ko",

    account: "계정 이름",
    address: "이메일 주소",

    verify_email: FlowTexts {
        title: "이메일 주소 확인",
        lead: "본인의 이메일 주소가 맞다면 버튼을 눌러 확인해 주십시오.",
        consequences: &[],
        button: "이메일 주소 확인",
        aside: NOT_ASKED,
        done_title: "이메일 주소가 확인되었습니다",
        done: "{address} 주소가 확인되었습니다. 이제 이 페이지를 닫고 로그인해 주십시오.",
        next: "아직 주소가 확인되지 않았다면 로그인 화면에서 확인 메일을 다시 요청해 주십시오.",
    },
    change_email: FlowTexts {
        title: "새 이메일 주소 확인",
        lead: "버튼을 누르면 계정의 이메일 주소가 이 주소로 변경됩니다.",
        consequences: &[
            "이후에는 이 주소로 로그인합니다.",
            "이전 주소로 안내 메일을 보내며, 며칠 동안 그 메일에서 변경을 취소할 수 있습니다.",
        ],
        button: "이 주소로 변경",
        aside: NOT_ASKED,
        done_title: "이메일 주소가 변경되었습니다",
        done: "이제부터 {address} 주소로 로그인해 주십시오. 이 페이지는 닫으셔도 됩니다.",
        next: "아직 주소가 변경되지 않았다면 로그인한 뒤 다시 변경하여 새 메일을 받아 주십시오.",
    },
    reset_password: FlowTexts {
        title: "새 비밀번호 설정",
        lead: "새 비밀번호를 설정하면 모든 기기에서 로그아웃됩니다.",
        consequences: &[],
        button: "비밀번호 설정",
        aside: NOT_ASKED,
        done_title: "새 비밀번호가 설정되었습니다",
        done: "모든 기기에서 로그아웃되었습니다. 이제 이 페이지를 닫고 새 비밀번호로 로그인해 주십시오.",
        next: "아직 새 비밀번호가 필요하다면 로그인 화면에서 ‘비밀번호 찾기’를 선택하여 새 메일을 받아 주십시오.",
    },
    undo_email_change: FlowTexts {
        title: "이전 이메일 주소로 되돌리기",
        lead: "다른 사람이 계정의 이메일 주소를 변경했습니까? 버튼을 눌러 변경을 취소해 주십시오.",
        consequences: &[
            "계정의 이메일 주소가 이 주소로 되돌아갑니다.",
            "모든 기기에서 로그아웃되며, 현재 비밀번호는 더 이상 사용할 수 없습니다.",
            "새 비밀번호를 설정할 수 있는 메일을 이 주소로 보냅니다.",
        ],
        button: "변경 취소",
        aside: "본인이 주소를 변경하셨다면 이 페이지를 닫아 주십시오. 버튼을 누르지 않으면 아무것도 바뀌지 않습니다.",
        done_title: "변경이 취소되었습니다",
        done: "{address} 주소로 메일을 보냈습니다. 메일에 있는 링크를 열어 새 비밀번호를 설정해 주십시오.",
        next: "여전히 계정을 사용할 수 없다면 서비스 운영자에게 문의해 주십시오.",
    },

    new_password: "새 비밀번호",
    show: "보기",
    show_password: "비밀번호 보기",
    hide: "숨기기",
    hide_password: "비밀번호 숨기기",
    error_prefix: "오류:",
    rules: RuleTexts {
        length: "공백을 포함하여 {min}자 이상",
        personal: "이메일 주소나 사용자 이름이 아닌 것",
        common: "많은 사람이 사용하는 비밀번호가 아닌 것",
    },
    broken: BrokenRuleTexts {
        empty: "비밀번호를 입력해 주십시오.",
        too_short: "비밀번호가 너무 짧습니다. {min}자 이상이어야 합니다.",
        too_long: "비밀번호가 너무 깁니다. {max}자까지 사용할 수 있습니다.",
        too_many_bytes: "비밀번호가 너무 깁니다. {max}바이트까지 사용할 수 있습니다. 영문자는 1바이트, 한글은 3바이트입니다.",
        forbidden_character: "사용할 수 없는 문자가 들어 있습니다. 다른 비밀번호를 입력해 주십시오.",
        personal: "이메일 주소나 사용자 이름과 같습니다. 추측하기 어려운 비밀번호를 선택해 주십시오.",
        common: "많은 사람이 사용하여 쉽게 추측할 수 있는 비밀번호입니다. 다른 비밀번호를 선택해 주십시오.",
        breached: "유출된 적이 있는 비밀번호입니다. 다른 비밀번호를 선택해 주십시오.",
        other: "사용할 수 없는 비밀번호입니다. 다른 비밀번호를 선택해 주십시오.",
    },

    stale: NoticeTexts {
        title: "더 이상 사용할 수 없는 링크입니다",
        body: "링크는 정해진 기간 안에 한 번만 사용할 수 있습니다. 이미 사용했거나, 기간이 지났거나, 더 최근의 메일로 \
               대체되었거나, 링크의 일부가 빠져 있습니다.",
    },
    taken: NoticeTexts {
        title: "이미 사용 중인 주소입니다",
        body: "다른 계정이 이 주소를 사용하고 있어 계정의 주소로 쓸 수 없습니다. 변경된 내용은 없습니다.",
    },
    throttled: NoticeTexts {
        title: "잠시 기다려 주십시오",
        body: "시도 횟수가 너무 많습니다. {minutes}분 뒤에 메일에 있는 링크를 다시 열어 주십시오.",
    },
    unavailable: NoticeTexts {
        title: "잠시 후 다시 시도해 주십시오",
        body: "서비스의 일부가 응답하지 않습니다. 1분쯤 뒤에 메일에 있는 링크를 다시 열어 주십시오.",
    },
    failed: NoticeTexts {
        title: "문제가 발생했습니다",
        body: "서비스에 오류가 있으며 그 내용이 기록되었습니다. 나중에 메일에 있는 링크를 다시 열어 주십시오.",
    },
    foreign: NoticeTexts {
        title: "메일에 있는 링크를 사용해 주십시오",
        body: "다른 사이트에서 보낸 요청입니다. 변경된 내용은 없습니다. 메일에 있는 링크를 다시 열어 주십시오.",
    },
    malformed: NoticeTexts {
        title: "메일에 있는 링크를 사용해 주십시오",
        body: "이해할 수 없는 요청입니다. 변경된 내용은 없습니다. 메일에 있는 링크를 다시 열어 주십시오.",
    },
};
