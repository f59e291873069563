#include "graders/extract/choice_words.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graders/extract/choice_text.h"

namespace r1eval {
namespace {

struct WordList {
  std::uint32_t classes;
  std::string_view words;  // separated by '|'
};

// The languages of one class stand in the order: English, Germanic, Romance, Slavic, Turkish,
// Arabic, Hebrew, Hindi, Bengali, Chinese, Japanese, Korean, Indonesian, Vietnamese, Thai,
// Swahili, Yoruba, others.
// clang-format off
constexpr std::array kLists = {
    WordList{kAnchor,
             "answer|answers|ans|antwort|antworten|antwoord|antwoorden|svar|svaret|réponse|"
             "réponses|respuesta|respuestas|risposta|risposte|resposta|respostas|gabarito|"
             "odpowiedź|odpowiedzią|odpowiedzi|odp|ответ|ответы|ответом|відповідь|отговор|odpověď|"
             "odgovor|cevap|cevabı|cevabım|cevaplar|yanıt|yanıtı|الإجابة|إجابة|الجواب|جواب|إجابتي|"
             "والإجابة|فالإجابة|الإجابات|جوابي|תשובה|התשובה|תשובות|התשובות|תשובתי|उत्तर|जवाब|"
             "উত্তর|উত্তরঃ|উত্তরটি|জবাব|答案|回答|作答|答|答え|正解|解答|정답|답|답변|답안|해답|jawaban|jawabannya|"
             "jawabanku|jawapan|đáp án|câu trả lời|trả lời|đáp số|คำตอบ|เฉลย|ตอบ|jibu|majibu|"
             "idahun|vastaus|vastus|απάντηση|răspuns|răspunsul|válasz|sagot|پاسخ|amsa|பதில்|"
             "సమాధానం|જવાબ|መልስ|impendulo|ìdáhùn"},
    WordList{kNamed,
             "key|solution|result|response|conclusion|verdict|decision|guess|bet|vote|pick|selection|"
             "selected|chosen|winner|lösung|ergebnis|schlussfolgerung|oplossing|solución|"
             "resultado|conclusión|soluzione|risultato|solução|resposta final|rozwiązanie|решение|"
             "вывод|çözüm|sonuç|结论|结果|結論|kesimpulan|kết luận|kunci|lời giải"},
    WordList{kNamed | kGlue, "final|correct|correcta|corretta|correta"},
    WordList{kOption,
             "option|options|choice|choices|alternative|alternatives|letter|letters|candidate|"
             "möglichkeit|antwortmöglichkeit|antwortoption|lösungsbuchstabe|buchstabe|auswahl|"
             "optionen|optie|opties|keuze|choix|lettre|opción|opciones|alternativa|alternativas|"
             "letra|inciso|literal|opzione|opzioni|lettera|opção|opções|item|opcja|opcją|wariant|"
             "вариант|варианты|вариантом|варианта|буква|пункт|опция|seçenek|seçeneği|seçeneğidir|"
             "şık|şıkkı|şıkkıdır|الخيار|خيار|الاختيار|الحرف|الخيارات|אפשרות|האפשרות|אופציה|विकल्प|"
             "বিকল্প|বিকল্পটি|অপশন|选项|選項|选择项|项|項|選択肢|옵션|선택지|보기|선지|번|pilihan|opsi|huruf|phương án|"
             "lựa chọn|ตัวเลือก|ข้อ|chaguo|herufi|àṣàyàn|lẹ́tà"},
    WordList{kAnchor | kAffirm, "my answer|my choice|my pick|my guess|my vote|my final answer"},
    WordList{kOption | kAffirm, "the one|the only one|what remains"},
    WordList{kOption | kStatement,
             "statement|statements|aussage|affirmation|proposition|stelling|afirmación|afirmação|"
             "affermazione|утверждение|说法|陈述"},
    WordList{kCopula | kFunction, "is|are|was|be|'s|isn|wasn|aren|ist|lautet|est|sont|jest|está"},
    WordList{kCopula,
             "is|are|was|be|been|being|'s|isn|wasn|aren|ist|sind|lautet|wäre|war|zijn|luidt|est|"
             "sont|serait|son|sería|fue|sono|sarà|são|será|está|jest|są|brzmi|будет|является|هي|"
             "هو|היא|הוא|है|हैं|होगा|হল|হলো|হচ্ছে|হবে|是|为|為|应为|應為|应该是|應該是|应是|应该为|就是|即|即为|即是|は|が|"
             "です|である|だ|でしょう|은|는|이|가|이다|입니다|이에요|예요|adalah|ialah|yaitu|là|คือ|เป็น|ni|jẹ́|'dir|'dır|"
             "'tir|'tır|'dur|'dür"},
    WordList{kCopula | kPronoun | kFunction, "es|fue|c'est"},
    WordList{kCopula, "seems|appears|looks|turns|becomes|remains|scheint|semble|parece|sembra"},
    WordList{kCopula | kConclude | kGlue, "это|значит"},
    WordList{kGlue,
             "now|of course|natürlich|bien sûr|por supuesto|quella|quello|celle|celui|the|an|"
             "for sure|sure|simply|just|indeed|really|apparently|still|here|again|in fact|"
             "no doubt|without doubt|without a doubt|undoubtedly|unquestionably|beyond doubt|have|"
             "has|had|single|one|ones|following|my|your|our|us|me|labeled|labelled|marked|denoted|"
             "namely|i.e|ie|a|o|exactly|precisely|none other than|l'|d'|qu'|der|die|das|den|dem|"
             "ein|eine|eindeutig|wohl|sicher|daher|het|de|een|la|le|les|el|los|las|lo|il|gli|os|"
             "bien|sin duda|yang|tersebut|nhất|ที่|ti|náà|gan|的|应|應|应该|應該|该|一定|显然|最|本题|本題|此题|最终|"
             "最終|的な|最も|の|なら|를|을|を|로|으로|で|가장|tên|bên|la mwisho|की|के|का|যে|टा|टी|à|o que|um|uma|"
             "'il agit de|the one labelled|akhir|cuối cùng"},
    WordList{kGlue | kMaybe, "must|should|shall|will|ought|muss|sollte|doit|debe|deve|必|便"},
    WordList{kPrep, "with|for|on|pour|por|für|za|para|op|con"},
    WordList{kTo, "to"},
    WordList{kGlue, "out|'d"},
    WordList{kGlue | kFunction, "alone|itself"},
    WordList{kFunction, "in|at|by|this|it|we|does|can|both|to|the|its|their"},
    WordList{kAffirm,
             "right|best|better|preferable|sufficient|accurate|appropriate|proper|suitable|yes|richtig|"
             "richtige|richtigen|richtiger|korrekt|korrekte|beste|stimmt|zutreffend|juist|juiste|"
             "goed|goede|correcte|bonne|juste|exacte|correcto|correctas|correctos|acertada|giusta|"
             "giusto|esatta|corretto|correto|certa|certo|poprawna|poprawny|poprawną|prawidłowa|"
             "prawidłową|prawidłowy|właściwa|правильный|правильная|правильно|правильным|"
             "правильные|верный|верная|верно|верным|верна|верен|вірна|правильна|doğru|doğrudur|"
             "الصحيحة|الصحيح|صحيح|صحيحة|الأصح|נכון|הנכונה|הנכון|נכונה|सही|ठीक|সঠিক|正确|正確|正解|是对的|"
             "是對的|对的|正しい|正しいです|適切|맞다|맞습니다|맞는|맞아요|옳다|옳습니다|옳은|올바른|올바릅니다|정확한|적절한|benar|tepat|betul|"
             "đúng|đúng nhất|chính xác|ถูกต้อง|ถูก|sahihi|tó tọ́|ti o tọ|tí ó tọ́|oikea|rätt|"
             "corect|correct|correcta|corretta|correta|corrects|corrette|corretas"},
    WordList{kTrue, "true|wahr|vrai|vraie|verdadera|verdadero|vera|verdadeira|prawdziwa|真"},
    WordList{kDeny,
             "wrong|incorrect|false|incorrectly|invalid|falsch|falsche|falschen|inkorrekt|onjuist|"
             "fout|verkeerd|faux|fausse|incorrecte|incorrecta|incorrecto|incorrectas|falsa|falso|"
             "errónea|equivocada|sbagliata|sbagliato|errata|scorretta|incorreta|errada|errado|"
             "niepoprawna|błędna|nieprawidłowa|fałszywa|неверно|неверный|неверна|неправильно|"
             "неправильный|ошибочный|yanlış|yanlıştır|خاطئة|خاطئ|خطأ|שגוי|שגויה|לא נכון|गलत|ভুল|"
             "错误|錯誤|错|錯|不对|不對|不正确|不正確|有误|不符合|不成立|間違い|間違っている|間違っています|誤り|不正解|不適切|正しくない|正しくありません|"
             "ではない|ではありません|틀렸습니다|틀린|틀립니다|오답|아니다|아닙니다|salah|keliru|sai|không đúng|ผิด|ไม่ถูกต้อง|"
             "si sahihi|si sawa|kò tọ̀nà|değildir"},
    WordList{kFails | kFunction,
             "fails|fail|violates|contradicts|contradict|ignores|conflicts|overestimates|"
             "underestimates|doesn|cannot be"},
    WordList{kFails,
             "tempting|distractor|distractors|common|impossible|implausible|unlikely|inconsistent|"
             "irrelevant|unsupported|mistaken|misleading|too|out|excluded|eliminated|rejected|"
             "ambiguous|not supported|排除|干扰项|干擾項|distractor"},
    WordList{kHolds | kFunction,
             "holds|works|fits|passes|passed|wins|satisfies|stands|survives|applies|agrees|符合|成立|"
             "符合题意|符合題意"},
    WordList{kNot | kFunction, "not|'t|never|cannot|nicht|ne|n'|non"},
    WordList{kNot,
             "not|'t|never|neither|nor|cannot|n't|instead of|rather than|weder|noch|nicht|niet|"
             "nie|ani|non|pas|não|nem|не|ни|değil|ليس|ليست|ליست|לא|אינה|אינו|नहीं|না|নয়|不是|非|并非|"
             "並非|不选|不選|而不是|而非|bukan|bukanlah|tidak|không|không phải|chứ không phải|ไม่ใช่|ไม่|sio|"
             "siyo|kì í ṣe"},
    WordList{kNot | kCorrection, "no|nein|nee|нет|nej"},
    WordList{kNot,
             "strike|cross|crossing|rule|rules|ruling|eliminate|eliminates|eliminating|eliminated|"
             "exclude|excludes|excluding|except|discard|discarding|reject|rejects|rejected|"
             "dismiss|avoid|none|kein|keine|geen|ausser|排除"},
    WordList{kNot | kFails, "ruled"},
    WordList{kContrast | kFunction, "but|sondern"},
    WordList{kContrast,
             "aber|maar|mais|sino|pero|bensì|bensi|ma|mas|lecz|ale|tylko|а|но|بل|ولكن|אלא|बल्कि|"
             "বরং|而是|而應|而应|melainkan|tetapi|tapi|mà là|mà|แต่เป็น|bali|ṣùgbọ́n|bíkòṣe|aksine|"
             "ale raczej"},
    // Denies what stands before it and contrasts it with what follows.
    WordList{kNot | kContrast, "ではなく|ではなくて|じゃなく|아니라|아니고|değil"},
    WordList{kChoose,
             "looks like|seems like|leaning towards|leaning toward|lean towards|lean toward|"
             "settled|went|decided|deciding|take|accept|vote|votes|voting|choose|chose|choosing|"
             "select|selecting|pick|picking|go|going|finalize|finalise|finalizing|conclude|say|"
             "opt|settle|submit|prefer|lean|leaning|wähle|wählen|nehme|kies|kiezen|choisis|"
             "choisir|choisissons|opte|elijo|elegir|elegimos|escojo|selecciono|marco|scelgo|"
             "scegliere|escolho|assinalo|wybieram|выбираю|выбираем|seçiyorum|seçerim|seçiyoruz|"
             "أختار|اختر|בוחר|בוחרת|चुनता|चुनती|चुनूंगा|চয়ন|选|選|选择|選擇|应选择|應選擇|应该选择|應該選擇|应该选|應該選|"
             "故选|故選|应选|應選|選びます|選ぶ|選択します|선택합니다|선택한다|고르겠습니다|memilih|pilih|chọn|เลือก|nachagua|"
             "ninachagua|mo yan|yàn"},
    WordList{kConclude | kGlue,
             "probably|likely|most likely|hence|thus|therefore|so|consequently|accordingly|"
             "finally|definitely|clearly|obviously|certainly|surely|overall|then|daher|somit|"
             "deshalb|folglich|dus|donc|ainsi|entonces|por tanto|por lo tanto|luego|quindi|dunque|"
             "perciò|portanto|logo|assim|zatem|więc|следовательно|итак|поэтому|таким образом|"
             "dolayısıyla|o halde|sonuç olarak|إذن|لذلك|לכן|अतः|इसलिए|অতএব|সুতরাং|তাই|因此|所以|故|综上|"
             "綜上|于是|那么|综上所述|よって|したがって|ゆえに|따라서|그러므로|그래서|jadi|maka|vậy|do đó|vì vậy|ดังนั้น|"
             "kwa hiyo|hivyo|nítorí náà|ergo"},
    WordList{kConclude | kAlso | kGlue, "also"},
    WordList{kAlso, "too|likewise|as well|auch|aussi|también|anche|também|也|も"},
    WordList{kSuper | kGlue, "most|least"},
    WordList{kSuper, "closest|nearest|likeliest|plausible|reasonable|accurately|suitable"},
    WordList{kLeaves | kFunction,
             "consistent|closest to|agrees with|agree with|compatible|leaves|leaving|left with|matches|match|matching|"
             "corresponds|corresponding|supports|favors|favours|points|entspricht|corresponde|"
             "corrisponde|匹配|对应"},
    WordList{kMatch,
             "gives|give|yields|listed|listed as|shown as|given as|labeled as|labelled as|selects|"
             "suggests|implies"},
    WordList{kOnly | kGlue, "only|nur|seulement|sólo|solo|только|只有|alleen|apenas"},
    WordList{kCorrection | kGlue, "actually|rather|instead"},
    WordList{kCorrection,
             "wait|correction|sorry|oops|revised|reconsider|reconsidering|mind|reflection|scratch|"
             "made a mistake|my mistake|made an error|corrected|hmm|moment|erratum|apologies|更正|"
             "等等|不对"},
    WordList{kAnd | kFunction, "and|und|et"},
    WordList{kAnd, "en|dan|và|และ|और|এবং|ও|و|ve|и|和|与|與|及|と|와|과|그리고|na|àti|ja"},
    WordList{kAnd, "y|e|i"},
    WordList{kOr | kFunction, "or|and/or|oder|ou"},
    WordList{kOr,
             "of|lub|albo|или|veya|ya da|أو|או|या|অথবা|বা|或|或者|还是|または|か|또는|혹은|atau|hoặc|hay|หรือ|"
             "au|tàbí|o|u"},
    WordList{kReason | kFunction,
             "because|since|as|per|due|weil|parce|porque|perché|omdat|puisque|with|by|when|where|"
             "for|being"},
    WordList{kReason,
             "given|da|denn|want|car|ya que|pues|perché|poiché|pois|ponieważ|bo|потому|так как|"
             "поскольку|çünkü|لأن|כי|क्योंकि|কারণ|因为|因為|由于|なぜなら|karena|vì|bởi|เพราะ|kwa sababu|"
             "nítorí|see|i.e|so"},
    WordList{kIf,
             "if|whether|suppose|assume|assuming|unless|when|how|where|what|why|wenn|если|"
             "如果|假设|假設|若|もし|만약|jika|nếu|ถ้า|kama|eğer|अगर|যদি|إذا|אם"},
    WordList{kMaybe | kGlue | kFunction, "would|could|might|may|were|perhaps|maybe|possibly"},
    WordList{kPronoun | kFunction, "it|this|which|these|ce|cela|esto|esta|questa|isso|dies|dat"},
    WordList{kPronoun | kGlue | kFunction, "that|who"},
    WordList{kBelieve,
             "think|believe|means|shows|proves|indicates|confirms|makes|making|make|know|find|"
             "that|guess|mean|agree|suspect|reckon|confident|认为|認為|觉得|glaube|denke|pense|crois|"
             "creo|penso|acho|credo"},
    WordList{kPast,
             "mistake|mistakenly|error|thought|initially|first|originally|guessed|earlier|"
             "previously|beginning|zuerst|d'abord|inicialmente|起初|最初|一开始|students|many|people|some"},
};

// clang-format on

// Entries by first word (by first character in scripts without spaces), longest first.
class Vocabulary {
 public:
  Vocabulary() {
    std::unordered_map<std::string, std::uint32_t> merged;
    for (const WordList& list : kLists) {
      std::size_t from = 0;
      while (from <= list.words.size()) {
        const std::size_t end = std::min(list.words.find('|', from), list.words.size());
        merged[fold_choice_text(list.words.substr(from, end - from)).low] |= list.classes;
        from = end + 1;
      }
    }
    for (const auto& [word, classes] : merged) {
      Entry entry{word, classes, choice_word_length(word, last_char(word)) > 0};
      by_first_[word.substr(0, key_length(word, 0))].push_back(std::move(entry));
    }
    for (auto& [first, entries] : by_first_) {
      std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.word.size() != b.word.size() ? a.word.size() > b.word.size() : a.word < b.word;
      });
    }
  }

  WordMatch match(std::string_view text, std::size_t at) const {
    const auto found = by_first_.find(text.substr(at, key_length(text, at)));
    if (found == by_first_.end()) {
      return {};
    }
    for (const Entry& entry : found->second) {
      const std::size_t end = at + entry.word.size();
      if (text.compare(at, entry.word.size(), entry.word) == 0 &&
          !(entry.is_whole_word && choice_word_length(text, end) > 0)) {
        return {entry.word.size(), entry.classes};
      }
    }
    return {};
  }

 private:
  struct Entry {
    std::string word;
    std::uint32_t classes;
    bool is_whole_word;
  };

  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  static std::size_t key_length(std::string_view text, std::size_t at) {
    const std::size_t mark = at < text.size() && text[at] == '\'' ? 1 : 0;
    const std::size_t word = choice_word_length(text, at + mark);
    return std::min<std::size_t>(word > 0 ? mark + word : char_length(text, at), 64);
  }

  static std::size_t char_length(std::string_view text, std::size_t at) {
    std::size_t length = 0;
    decode_choice_char(text, at, length);
    return length;
  }

  static std::size_t last_char(std::string_view word) {
    std::size_t at = word.size();
    while (at > 0 && (static_cast<unsigned char>(word[--at]) & 0xC0) == 0x80) {
    }
    return at;
  }

  std::unordered_map<std::string, std::vector<Entry>, Hash, std::equal_to<>> by_first_;
};

}  // namespace

WordMatch match_choice_word(std::string_view folded, std::size_t at) {
  static const Vocabulary vocabulary;
  return vocabulary.match(folded, at);
}

}  // namespace r1eval
