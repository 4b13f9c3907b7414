"""What a column's heading says about personal data, in many languages and scripts.

A heading is folded (no case, no accents) and cut into words. Words stand for themselves, or at the
ends of a compound ("Kundennummer"); in scripts without blanks they are looked for anywhere.
"""

from __future__ import annotations

import re
from functools import cache

from llmsynth.personal_data.kinds import Kind
from llmsynth.personal_data.name_lists import fold, script


def _folded(words: str) -> frozenset[str]:
    return frozenset(fold(word) for word in words.split())


_NAMES = _folded(
    # first, last and full names, where nothing but a person has them
    "first_name last_name middle_name full_name given_name family_name maiden_name birth_name "
    "legal_name preferred_name name_first name_last name_given name_middle name_family surname "
    "forename firstname "
    "lastname fullname givenname givennames surnames fname lname "
    "vorname nachname familienname geburtsname rufname vollname vor_und_nachname vorname_nachname "
    "prenom nom_de_famille nom_famille nom_complet nom_prenom prenom_nom nom_et_prenom "
    "nom_de_naissance "
    "apellido apellidos primer_apellido segundo_apellido nombre_completo nombres nombre_y_apellido "
    "sobrenome apelido nome_completo primeiro_nome ultimo_nome nome_proprio "
    "cognome nome_e_cognome nome_cognome nominativo "
    "voornaam achternaam volledige_naam geboortenaam "
    "imie nazwisko imie_i_nazwisko imie_nazwisko jmeno prijmeni jmeno_a_prijmeni cele_jmeno "
    "fornamn efternamn forename fornavn etternavn efternavn mellannamn "
    "adi soyadi ad_soyad isim_soyisim adi_soyadi soyad soyisim "
    "ho_ten ho_va_ten hoten etunimi sukunimi keresztnev vezeteknev prenume ime_i_prezime prezime "
    "фио ф_и_о имя фамилия отчество имя_фамилия полное_имя ім_я прізвище по_батькові піб "
    "όνομα επώνυμο ονοματεπώνυμο επίθετο "
    "الاسم اسم_العائلة الاسم_الكامل اللقب الاسم_الأول שם_פרטי שם_משפחה שם_מלא "
    "नाम पूरा_नाम उपनाम 姓名 名字 姓 名 全名 氏名 名前 お名前 苗字 姓_名 이름 성명 성함 성"
)
_NAMES_ANYWHERE = _folded(
    "姓名 氏名 名前 이름 성명 성함 фамили отчеств прізвищ επώνυμ ονοματεπ שם_משפחה שם_פרטי اسم_العائلة "
    "nachname vorname familienname apellido cognome achternaam voornaam nazwisk prijmeni efternamn "
    "soyadi surname firstname lastname fullname"
)
_MAY_BE_NAMES = _folded(
    "first last middle given family forenames firstnames lastnames surnames name names nom nombre nome naam imie jmeno namn navn ad isim имя название ім'я "
    "patient doctor physician clinician nurse surgeon therapist employee author owner contact "
    "customer "
    "client guest host person passenger student pupil teacher member player athlete driver manager "
    "judge senator candidate mother father spouse husband wife child parent guardian witness victim "
    "suspect employer landlord tenant applicant borrower beneficiary sender recipient holder "
    "cardholder account_holder user actor actress director artist writer pitcher batter rider coach "
    "kunde patientin arzt mitarbeiter schuler inhaber kontoinhaber ansprechpartner "
    "auteur medecin eleve titulaire salarie paciente medico alumno cliente empleado titular "
    "dipendente studente paziente klant medewerker auteur pacjent klient lekarz zakaznik "
    "kund elev lakare musteri hasta ogrenci doktor клиент пациент врач сотрудник автор ученик "
    "клієнт пацієнт лікар πελάτης ασθενής عميل مريض طبيب לקוח מטופל רופא ग्राहक रोगी "
    "客户 客戶 患者 医生 学生 顧客 社員 生徒 고객 환자 직원 학생"
)
_PEOPLE = _folded(
    "patient person people customer cust client user member employee emp staff student pupil "
    "account "
    "acct policy subject guest host owner passenger participant respondent beneficiary cardholder "
    "player subscriber taxpayer insured claimant applicant borrower household donor voter driver "
    "worker citizen resident contact physician doctor provider_person "
    "kunde kunden mitglied mitglieder patienten versicherten versicherter konto mitarbeiter "
    "personal "
    "schuler matrikel teilnehmer probanden nutzer benutzer vertrags "
    "cliente clients adherent assure employe salarie compte dossier_patient abonne eleve "
    "utilisateur "
    "clientes empleado usuario paciente socio cuenta alumno afiliado conto utente dipendente "
    "paziente "
    "tessera conta funcionario utilizador aluno klant klanten lid leden medewerker rekening "
    "gebruiker "
    "klient klienta pacjent pacjenta pracownik pracownika konta zakaznik zakaznika ucet uctu "
    "uzivatel "
    "kund kunds anstalld medlem medlems anstallnings musteri hesap hasta uye personel ogrenci "
    "клиент клиента пациент пациента сотрудник сотрудника абонент абонента счет счета лицевой "
    "пользователь пользователя студент клієнт клієнта рахунок рахунку пацієнт пацієнта "
    "πελάτης πελάτη λογαριασμός λογαριασμού ασθενή μέλους "
    "عميل العميل حساب الحساب مريض المريض موظف الموظف לקוח חשבון מטופל עובד "
    "ग्राहक खाता रोगी कर्मचारी 客户 客戶 账号 账户 帳號 帳戶 会员 會員 员工 患者 学号 用户 顧客 会員 社員 口座 学生 "
    "고객 회원 사원 계좌 환자 직원 사용자 학번"
)
_NUMBERS = _folded(
    "id ids no nr nbr num number key code pid uid guid uuid ref reference nummer num numero nro "
    "identifiant matricule clave codigo codice numer cislo kod nummer numarasi numara номер ид код "
    "айди "
    "αριθμός αρ κωδικός κωδ رقم معرف מספר מזהה क्रमांक संख्या आईडी 号 號 号码 編号 编号 番号 コード 번호 아이디"
)
_NUMBERS_ALONE = _folded(
    "mrn npi passport passport_no dni nie nif cpf rg curp rfc customerid userid patientid "
    "employeeid "
    "playerid memberid clientid studentid matricula matrikelnummer "
    "账号 账户 帳號 学号 口座番号 사번 학번 계좌번호 会員番号 客户号 顧客番号 患者番号 лицевой_счет "
    "account account_number bank_account account_no acct konto kontonummer compte cuenta conta "
    "rekening rekeningnummer bankkonto cislo_uctu hesap_no license_number licence_number "
    "driver_license "
    "drivers_license driving_licence insurance_number policy_number medicare medicaid"
)
_NATIONAL = _folded(
    "ssn social_security social_security_number national_id nationalid national_insurance nino "
    "nhs nhs_number nhs_no tax_id taxid tax_number tin itin sin aadhaar aadhar pan_card passport "
    "steuer_id steueridentifikationsnummer steuernummer steuerid sozialversicherungsnummer svnr "
    "personalausweis ausweisnummer nir insee numero_securite_sociale securite_sociale numero_fiscal "
    "codice_fiscale partita_iva nif dni nie cpf rg bsn burgerservicenummer sofinummer pesel "
    "dowod rodne_cislo personnummer fodselsnummer cpr cpr_nummer hetu henkilotunnus tc_kimlik "
    "tc_kimlik_no kimlik_no tckn инн снилс паспорт іпн рнокпп αφμ αμκα رقم_الهوية رقم_الاقامة "
    "תעודת_זהות ת_ז आधार आधार_संख्या 身份证 身份证号 身份证号码 身分證 マイナンバー 個人番号 주민등록번호 주민번호"
)
_PHONES = _folded(
    "phone telephone mobile cell cellphone fax tel handy phone_number mobile_number telefon telefax "
    "telefonnummer mobil mobilnummer handynummer rufnummer telephone portable numero_de_telephone "
    "telefono movil celular telefone telemovel cellulare telefoon mobiel telefoonnummer komorka "
    "telefonu komorkowy mobilni telefonni telefonnr cep_telefonu cep_tel gsm whatsapp so_dien_thoai "
    "телефон тел мобильный мобільний номер_телефона τηλέφωνο κινητό هاتف جوال رقم_الهاتف الهاتف "
    "الجوال "
    "טלפון נייד फोन मोबाइल दूरभाष 电话 电话号码 手机 手机号 手機 電話 電話番号 携帯 携帯電話 전화 전화번호 휴대폰 휴대전화"
)
_ADDRESSES = _folded(
    "address addr address1 address2 addressline street street_address home_address residence "
    "postal_address mailing_address anschrift adresse strasse postanschrift wohnadresse "
    "wohnort_strasse "
    "rue domicile direccion calle domicilio endereco morada rua indirizzo via residenza adres "
    "straat "
    "woonadres ulica adres_zamieszkania adresa ulice bydliste adress gata gatuadress postadress vej "
    "gate adresi sokak cadde dia_chi osoite адрес улица адрес_проживания адреса вулиця διεύθυνση "
    "οδός "
    "عنوان العنوان الشارع כתובת רחוב पता सड़क 地址 住址 街道 住所 주소 도로명주소"
)
_OTHERS: dict[Kind, frozenset[str]] = {
    "email": _folded(
        "email e_mail mail email_address mailadresse courriel correo correo_electronico "
        "posta_elettronica "
        "eposta e_posta почта эл_почта электронная_почта пошта ηλεκτρονικό_ταχυδρομείο بريد "
        "البريد_الإلكتروني "
        "דואל אימייל ईमेल 邮箱 电子邮件 電子郵件 メール メールアドレス 이메일"
    ),
    "user name": _folded(
        "username user_name login login_name userid nickname screen_name handle twitter "
        "twitter_handle "
        "instagram benutzername nutzername identifiant nom_d_utilisateur nombre_de_usuario usuario "
        "nome_utente gebruikersnaam nazwa_uzytkownika uzivatelske_jmeno anvandarnamn kullanici_adi "
        "логин "
        "имя_пользователя όνομα_χρήστη اسم_المستخدم שם_משתמש 用户名 ユーザー名 사용자명"
    ),
    "url": _folded("profile profile_url linkedin facebook homepage personal_website profil perfil"),
    "ip": _folded("ip ip_address ipaddress client_ip remote_addr ipv4 ipv6 ip_adresse"),
    "mac": _folded("mac mac_address macaddress"),
    "plate": _folded(
        "plate license_plate licence_plate number_plate plate_number registration_plate plate_no "
        "kennzeichen kfz_kennzeichen immatriculation plaque matricula placa targa kenteken "
        "tablica_rejestracyjna nr_rejestracyjny spz registreringsnummer plaka госномер "
        "номерной_знак "
        "номерний_знак πινακίδα 车牌 车牌号 ナンバープレート 차량번호 vin"
    ),
    "birth date": _folded(
        "dob birthdate birth_date date_of_birth birthday born geburtsdatum geburtstag geb_datum "
        "date_de_naissance date_naissance naissance fecha_de_nacimiento fecha_nacimiento nacimiento "
        "data_de_nascimento nascimento data_di_nascita data_nascita geboortedatum data_urodzenia "
        "datum_narozeni fodelsedatum fodselsdato dogum_tarihi дата_рождения дата_народження "
        "ημερομηνία_γέννησης تاريخ_الميلاد תאריך_לידה जन्म_तिथि जन्मतिथि 出生日期 生日 生年月日 생년월일"
    ),
    "iban": _folded("iban"),
    "credit card": _folded(
        "credit_card card_number cc_number card_no pan credit_card_number kreditkarte "
        "kreditkartennummer "
        "carte_bancaire numero_de_carte tarjeta numero_tarjeta carta_di_credito 信用卡号 カード番号 카드번호"
    ),
    "social security": _folded("ssn social_security social_security_number"),
    "name": _NAMES,
    "phone": _PHONES,
    "address": _ADDRESSES,
    "national id": _NATIONAL,
}
_SAYS_OTHERWISE = _folded(
    "opt optin in_out changed change suffix prefix title_count count counts status flag has is type "
    "types "
    "kind protocol service services provider verified valid preferred preference consent subscribed "
    "lines "
    "plan model brand carrier os usage minutes calls length len size year_count score rating rate "
    "category "
    "years year months weeks hours stay class group level quality domain format version source age days months tenure time duration "
    "since "
    "last_login_days sex gender city country state region weekday population area price cost"
)


class Heading:
    """One column name, as words that can be looked up."""

    def __init__(self, name: str) -> None:
        cut = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])|[^\w]+", "_", name)
        self.words = [word for word in fold(cut).split("_") if word]
        self.joined = "_".join(self.words)
        self.is_spaceless = script(self.joined) not in ("", "Latin", "Cyrillic", "Greek")

    def says(self, kind: Kind) -> bool:
        """Whether the heading is one of the kind's, or ends or begins with one."""
        if kind == "id":
            return self._says_id()
        if self._says_otherwise():
            return False
        return self._has(_OTHERS[kind], anywhere=_NAMES_ANYWHERE if kind == "name" else None)

    def may_say_name(self) -> bool:
        """Whether it is something that people have or are, and other things, too ("name")."""
        if self._says_otherwise():
            return False
        last = self.words[-1] if self.words else ""
        return last in _MAY_BE_NAMES or self.joined in _MAY_BE_NAMES or last == "fullname"

    def _says_otherwise(self) -> bool:
        return any(word in _SAYS_OTHERWISE for word in self.words)

    def _says_id(self) -> bool:
        if self.joined in _NUMBERS_ALONE or self._ends(_NUMBERS_ALONE):
            return True
        has_number = any(word in _NUMBERS for word in self.words)
        if has_number and any(word in _PEOPLE for word in self.words):
            return True
        compact = "".join(self.words)
        if self.is_spaceless:
            return any(w in compact for w in _PEOPLE) and any(w in compact for w in _NUMBERS)
        return any(_is_compound(word) for word in self.words)

    def _has(self, known: frozenset[str], *, anywhere: frozenset[str] | None) -> bool:
        if self.joined in known or self._ends(known):
            return True
        compact = "".join(self.words)
        if any(word.replace("_", "") == compact for word in known):
            return True
        if self.is_spaceless:
            long = (w.replace("_", "") for w in known if len(w) > 1)
            return any(word in compact for word in long)
        stems = anywhere or frozenset(w for w in known if len(w) >= _SHORTEST_STEM)
        return any(stem.replace("_", "") in word for stem in stems for word in self.words)

    def _ends(self, known: frozenset[str]) -> bool:
        """Whether the last words, or the first ones before a number or language, are known."""
        words = [word for word in self.words if not word.isdigit()]
        tails = ("_".join(words[n:]) for n in range(len(words)))
        heads = ("_".join(words[:n]) for n in range(1, len(words)) if words[n:] in _TAILS)
        return any(part in known for part in (*tails, *heads))


_SHORTEST_STEM = 7
"""Letters from which a known word inside a longer one tells: "telefonnummer", not "tel"."""
_TAILS = (["number"], ["no"], ["nr"], ["num"], ["nummer"], ["numero"], ["hash"], ["raw"], ["text"])
_JOINTS = ("", "n", "s", "en", "er", "r")


@cache
def _is_compound(word: str) -> bool:
    """Whether somebody and a number are written as one word: `kundennummer`, `customerid`."""
    for tail in _NUMBERS:
        if not word.endswith(tail) or len(tail) < 2:
            continue
        head = word[: -len(tail)]
        if any(head.removesuffix(joint) in _PEOPLE for joint in _JOINTS if head.endswith(joint)):
            return True
    return False
