/* r1eval's graders for other languages: one shared library (libr1eval_grade), one handle, no
 * globals.
 *
 * Threads   a handle belongs to one thread at a time; any number of handles may be used at once.
 * Texts     are bytes with a length, UTF-8 or not; they are never executed and never kept.
 * Ownership r1eval_grader_free() frees a handle. Pointers in a verdict are the handle's and live
 *           until its next call.
 * Errors    a function that fails says why through r1eval_grader_error().
 */
#ifndef R1EVAL_GRADE_H
#define R1EVAL_GRADE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define R1EVAL_GRADE_ABI 1

typedef struct r1eval_grader r1eval_grader;

typedef enum r1eval_outcome {
  R1EVAL_CORRECT = 0,
  R1EVAL_INCORRECT = 1,
  R1EVAL_NO_ANSWER = 2, /* the text gives no answer: scores 0 */
  R1EVAL_UNSCORED = 3   /* the gold cannot be read: leave the item out */
} r1eval_outcome;

typedef struct r1eval_verdict {
  int32_t outcome;   /* r1eval_outcome */
  int64_t span_from; /* byte offsets of the answer in the text, -1: none */
  int64_t span_to;
  const char* answer; /* as the model wrote it */
  const char* gold_form;
  const char* pred_form;
  const char* rule; /* extraction rule and rung that decided */
  const char* evidence;
} r1eval_verdict;

/* kind: "math" or "choice"; profile: docs/grading.md, NULL or "" for "default"; whole_text: not 0
 * when texts are bare answers and nothing is to be extracted. Never NULL but when memory is out:
 * after a wrong name the handle only answers r1eval_grader_error(). */
r1eval_grader* r1eval_grader_new(const char* kind, const char* profile, int whole_text);
void r1eval_grader_free(r1eval_grader* grader);

/* The last error, or "". */
const char* r1eval_grader_error(const r1eval_grader* grader);

/* Number of options for "choice", 2 to 26 (4 unless set). Returns 0, or -1 on error. */
int r1eval_grader_set_options(r1eval_grader* grader, int n_options);

/* Grades `text` against `gold`. Returns 0 and fills *verdict, or -1 on error. */
int r1eval_grade(r1eval_grader* grader, const char* gold, size_t gold_bytes, const char* text,
                 size_t text_bytes, r1eval_verdict* verdict);

/* Changes whenever a verdict can change. */
const char* r1eval_grader_version(void);

#ifdef __cplusplus
}
#endif

#endif
